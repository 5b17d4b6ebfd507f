"""What msgpack knows by itself travels as it is, and comes back as nothing else."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.actors import codec
from tether.actors.message import Body
from tether.actors.plain import (
    INLINE,
    plain_arguments,
    plain_body,
    plain_call,
    plain_value,
    unpack_plain,
)  # fmt: skip

atoms = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary()
plain = st.recursive(
    atoms | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
)


@given(plain)
def test_what_msgpack_knows_by_itself_travels_plain(value: Any) -> None:
    body = plain_body(value)

    assert body is not None
    assert (body.plain, body.parts, codec.decode(body)) == (True, (), value)


@pytest.mark.parametrize("value", [(1, 2), 2**64, {1, 2}, torch.zeros(2), [np.zeros(2)], object()])
def test_what_msgpack_does_not_know_never_travels_plain(value: Any) -> None:
    assert plain_body(value) is None


@given(st.lists(plain, max_size=3).map(tuple), st.dictionaries(st.text(), plain, max_size=2))
def test_arguments_travel_as_a_list_of_them_and_a_dict_of_those_with_names(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    body = plain_call(args, kwargs)

    assert body is not None
    assert (body.plain, body.data) == (True, msgpack.packb([list(args), kwargs]))
    assert plain_arguments(body) == (list(args), kwargs)


@given(atoms | st.floats(allow_nan=False))
def test_what_holds_nothing_has_the_bytes_that_msgpack_gives_it(value: Any) -> None:
    body = plain_body(value)

    assert body is not None
    assert body.data == msgpack.packb(value)
    assert plain_value(body) == value


@pytest.mark.parametrize(
    "args", [((1, 2),), (1, 2**64), (-(2**63) - 1,), ("\ud800",), (torch.zeros(2),), (1, object())]
)
def test_arguments_that_msgpack_does_not_know_never_travel_plain(args: tuple[Any, ...]) -> None:
    assert plain_call(args, {}) is None
    assert plain_call((), {"given": args[-1]}) is None


def test_a_plain_answer_that_is_malformed_is_refused() -> None:
    with pytest.raises(ValueError, match="a body of 1 bytes is malformed: DecodeError"):
        plain_value(Body(b"\xc1", plain=True))


def test_arguments_that_are_no_pair_are_refused() -> None:
    body = Body(b"\x07", plain=True)

    with pytest.raises(ValueError, match="a body of 1 bytes is malformed: TypeError"):
        plain_arguments(body)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xc7\x01\x04a", "^extension 4 came in a plain body, which holds none$"),
        (b"\xc1", "^a body of 1 bytes is malformed: DecodeError"),
        (b"\x92\x01", "^a body of 2 bytes is malformed: DecodeError"),
        (b"\x91" * 100_000 + b"\x01", "^100001 bytes do not hold what they announce: StackError"),
        (200 * b"\xdd\x00\x00\x1f\x40", "^1000 bytes do not hold what they announce: OutOfData"),
    ],
)
def test_a_malformed_plain_body_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        codec.decode(Body(data, plain=True))


def test_a_packer_is_not_kept_with_the_memory_of_a_large_value() -> None:
    large = plain_body(bytes(INLINE + 1))

    assert large is not None
    assert unpack_plain(large.data) == bytes(INLINE + 1)
    assert plain_body([1]) is not None
    assert msgpack.unpackb(large.data) == bytes(INLINE + 1)
