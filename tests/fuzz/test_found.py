"""Inputs that once broke the promise, by what they did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from tests.fuzz.contract import Meter
from tests.fuzz.targets import TARGETS, close
from tether.actors import codec, forms
from tether.actors.frames import VERSION


def extension(code: int, content: Any) -> bytes:
    data: bytes = msgpack.packb(msgpack.ExtType(code, msgpack.packb(content)))
    return data


def announced(size: int, depth: int) -> bytes:
    """Announce lists of so many elements, inside one another, and nothing else."""
    return depth * (b"\xdd" + size.to_bytes(4, "big"))


def framed(message: Any) -> bytes:
    """Return a frame of one message, whatever that is."""
    ack: Any = (0, 0, 0, {})
    pair = ("a/0", "b/0", 1, 1)
    data: bytes = msgpack.packb((VERSION, ("r", "p", 1), 0, [(pair, 1, ack, [message])], []))
    return data


def colliding(many: int) -> bytes:
    """Return a dict whose keys are whole numbers that Python hashes to the same one."""
    keys = [str((2**61 - 1) * (k + 10)).encode() for k in range(many)]
    pairs = [msgpack.packb(msgpack.ExtType(codec.INTEGER, key)) + b"\xc0" for key in keys]
    return b"\xdf" + many.to_bytes(4, "big") + b"".join(pairs)


FOUND: dict[str, tuple[str, bytes]] = {
    "a text in a shape was multiplied": (
        "body", extension(forms.TENSOR, ["float32", ["a", 2**26], b"abcd"]),
    ),
    "so was a list in that of a compressed tensor": (
        "body", extension(codec.COMPRESSED, ["float32", [[0], 2**26], b"abcd", 4]),
    ),
    "what is no number was to be forgotten": ("news", msgpack.packb([False, [], [[5]]])),
    "news announced more than there is": ("news", announced(8000, 1600)),
    "a word about keys did": ("keys", announced(8000, 1600)),
    "a packet of an agent did": ("packet", announced(8000, 1600)),
    "a message of many fields was taken apart by itself": ("frame", framed([()] * 5001)),
    "a frame announced more than there is": ("frame", announced(8000, 1600)),
    "the header of a chunk did": ("chunk", announced(8000, 1600)),
    "a body did": ("body", announced(8000, 1600)),
    "a tuple in a body did": (
        "body", msgpack.packb(msgpack.ExtType(codec.TUPLE, announced(8000, 1600))),
    ),
    "a plain body did": ("plain", announced(8000, 1600)),
    "arguments did": ("arguments", announced(8000, 1600)),
    "keys of one hash took a second for each 200 kB": ("body", colliding(20_000)),
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
