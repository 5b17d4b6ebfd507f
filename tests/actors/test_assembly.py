"""Chunks find their place in prepared memory, and lies about it are errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tether.actors.assembly import Assembly
from tether.actors.message import Part


def take(nbytes: int) -> Any:
    return np.zeros(nbytes, np.uint8)


@pytest.fixture
def assembly() -> Assembly:
    return Assembly(take)


def test_two_chunks_make_a_part(assembly: Assembly) -> None:
    parts = (Part(5),)
    for offset, data in ((3, b"de"), (0, b"abc")):
        place = assembly.place(0, offset, len(data), 5)
        assert place is not None
        place[:] = data

    assert assembly.complete(parts)
    assembly.fill(parts)
    assert parts[0].memory.tobytes() == b"abcde"
    assert assembly.nbytes == 5


def test_a_chunk_that_comes_twice_has_no_second_place(assembly: Assembly) -> None:
    assembly.place(0, 0, 3, 5)

    assert assembly.place(0, 0, 3, 5) is None
    assert not assembly.complete((Part(5),))


def test_a_part_of_which_nothing_came_is_missing(assembly: Assembly) -> None:
    assembly.place(0, 0, 5, 5)

    assert not assembly.complete((Part(5), Part(1)))


def test_an_empty_part_cannot_be_announced(assembly: Assembly) -> None:
    with pytest.raises(ValueError, match="a part of 0 bytes is announced, but one of more"):
        assembly.place(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("offset", "nbytes", "total"), [(4, 2, 5), (-1, 2, 5), (0, -1, 5), (0, 3, 6), (2**62, 1, 5)]
)
def test_a_chunk_outside_its_part_is_an_error(
    assembly: Assembly, offset: int, nbytes: int, total: int
) -> None:
    assembly.place(0, 0, 1, 5)

    with pytest.raises(ValueError, match=rf"a chunk of bytes {offset} to .* of {total} came for"):
        assembly.place(0, offset, nbytes, total)


def test_a_part_of_another_size_than_the_message_says_is_an_error(assembly: Assembly) -> None:
    assembly.place(0, 0, 5, 5)

    with pytest.raises(ValueError, match="part 0 has 5 bytes, but the message says 4"):
        assembly.complete((Part(4),))


def test_who_asks_where_a_chunk_belongs_has_nothing_counted(assembly: Assembly) -> None:
    parts = (Part(5),)
    asked = assembly.place(0, 3, 0, 5)
    assert asked is not None
    asked[:] = b"de"
    assert not assembly.complete(parts)

    for offset, data in ((0, b"abc"), (3, b"de")):
        place = assembly.place(0, offset, len(data), 5)
        assert place is not None
        if not offset:
            place[:] = data

    assert assembly.complete(parts)
    assembly.fill(parts)
    assert parts[0].memory.tobytes() == b"abcde"
    assert assembly.place(0, 3, 0, 5) is None
