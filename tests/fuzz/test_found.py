"""Inputs that once broke the promise, by what they did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from tests.fuzz.contract import Meter
from tests.fuzz.targets import TARGETS, close
from tether.actors import codec


def extension(code: int, content: Any) -> bytes:
    data: bytes = msgpack.packb(msgpack.ExtType(code, msgpack.packb(content)))
    return data


def announced(size: int, depth: int) -> bytes:
    """Announce lists of so many elements, inside one another, and nothing else."""
    return depth * (b"\xdd" + size.to_bytes(4, "big"))


FOUND: dict[str, tuple[str, bytes]] = {
    "a text in a shape was multiplied": (
        "body", extension(codec.TENSOR, ["float32", ["a", 2**26], b"abcd"]),
    ),
    "so was a list in that of a compressed tensor": (
        "body", extension(codec.COMPRESSED, ["float32", [[0], 2**26], b"abcd", 4]),
    ),
    "what is no number was to be forgotten": ("news", msgpack.packb([False, [], [[5]]])),
    "news announced more than there is": ("news", announced(8000, 1600)),
    "a word about keys did": ("keys", announced(8000, 1600)),
    "a packet of an agent did": ("packet", announced(8000, 1600)),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_keeps_the_promise_now(what: str) -> None:
    target, data = FOUND[what]
    meter = Meter(TARGETS[target])

    meter.tries(data)

    assert meter.count == {"refused": 1}
