"""A small tensor alone travels as any other does, only with less ado."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tether.actors import codec, forms
from tether.actors.message import Body
from tether.actors.plain import INLINE

SHAPES = [(), (0,), (3,), (1, 5), (2, 0, 3), (200, 3)]
DTYPES = ["float32", "int64", "uint8", "bool", "bfloat16", "complex64"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_body_of_one_tensor_is_that_of_the_codec_or_none(
    dtype: str, shape: tuple[int, ...]
) -> None:
    tensor = torch.ones(shape, dtype=getattr(torch, dtype))

    for call, value in [(True, [[tensor], {}]), (False, tensor)]:
        body = forms.body_of(tensor, call=call)
        if body is None:
            assert dtype in {"bool", "bfloat16"}
        else:
            assert body.data == codec.encode(value).data
            assert not body.plain


@pytest.mark.parametrize("value", [1, "x", None, [torch.ones(3)], np.ones(3)])
def test_what_is_no_tensor_has_no_form(value: Any) -> None:
    assert forms.body_of(value, call=True) is None
    assert forms.rows(value) is None


def test_a_large_tensor_has_no_form() -> None:
    tensor = torch.zeros(INLINE + 1, dtype=torch.uint8)

    assert forms.body_of(tensor, call=False) is None
    assert forms.body_of(tensor[:-1], call=False) is not None
    assert forms.rows(tensor.repeat(2, 1)) is None
    assert forms.rows(torch.zeros((forms.STACK + 1, 1), dtype=torch.uint8)) is None


@pytest.mark.parametrize(
    "stack", [torch.arange(12.0).view(4, 3), torch.arange(6).view(3, 2).t(), torch.arange(5)]
)
def test_rows_are_the_bodies_of_each_row(stack: torch.Tensor) -> None:
    bodies = forms.rows(stack)

    assert bodies is not None
    assert [body.data for body in bodies] == [codec.encode(row).data for row in stack]


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0)])
def test_a_stack_without_bytes_has_no_rows(shape: tuple[int, ...]) -> None:
    assert forms.rows(torch.zeros(shape)) is None


@pytest.mark.parametrize("call", [True, False])
def test_a_form_is_known_once_it_was_decoded(call: bool) -> None:
    tensor = torch.arange(331.0).view(1, 331)
    body = forms.body_of(tensor, call=call)
    assert body is not None

    before = forms.read(body.data)
    codec.decode(body)
    known = forms.read(body.data)

    assert before is None
    found = known[0][0] if call else known
    assert torch.equal(found, tensor)
    found.add_(1)  # it is the receiver's own
    assert torch.equal(forms.read(body.data)[0][0] if call else forms.read(body.data), tensor)


@pytest.mark.parametrize("value", [[[torch.ones(337)], {"a": 1}], [[torch.ones(337), 1], {}]])
def test_a_tensor_among_others_is_no_form(value: Any) -> None:
    body = codec.encode(value)
    codec.decode(body)

    assert forms.read(body.data) is None


def test_a_known_form_is_taken_to_the_device_that_is_wanted() -> None:
    body = codec.encode(torch.ones(347))
    codec.decode(body)

    assert codec.decode(Body(body.data), device="meta").device.type == "meta"


@pytest.mark.parametrize("shape", [(), (349,), (3, 117)])
def test_calls_of_one_known_form_are_stacked_from_their_bytes(shape: tuple[int, ...]) -> None:
    given = [torch.full(shape, float(k)) for k in range(3)]
    bodies = [codec.encode([[tensor], {}]) for tensor in given]
    codec.decode(bodies[0])
    room = torch.zeros((4, *shape))

    def memory(like: torch.Tensor) -> torch.Tensor:
        assert (like.shape, like.dtype) == (shape, torch.float32)
        return room

    stack = forms.stacked(bodies, memory)

    assert torch.equal(stack, torch.stack(given))
    assert stack.data_ptr() == room.data_ptr()
    assert room[3].eq(0).all()


def test_calls_of_which_one_is_of_another_form_are_not_stacked() -> None:
    tensor = torch.arange(12.0).view(4, 3)
    others: list[Any] = [[[tensor.view(3, 4)], {}], [[tensor[0]], {}], [[1], {}], tensor]
    body = codec.encode([[tensor], {}])
    codec.decode(body)

    for other in others:
        bodies = [body, codec.encode(other)]
        assert forms.stacked(bodies, torch.zeros_like) is None
        assert forms.stacked(bodies[::-1], torch.zeros_like) is None
    codec.decode(codec.encode(tensor))
    assert forms.stacked([codec.encode(tensor)], torch.zeros_like) is None
