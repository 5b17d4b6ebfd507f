"""Valid inputs, made by the encoders themselves."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import msgpack
import numpy as np
import torch

from tests.actors.pretend import GPU
from tether.actors import codec, forms, frames
from tether.actors.bulk import RECORD, pack_hello
from tether.actors.control import NEWS
from tether.actors.frames import VERSION, Frame, Origin
from tether.actors.journal import DROPS
from tether.actors.message import Body, Kind, Message, Part
from tether.actors.outflow import LENGTH
from tether.actors.packet import Ack, Packet, Pair
from tether.actors.sealing import Sealer, epoch_of
from tether.actors.words import Cancel, Probe, Wait, Word
from tether.runners.exchange import MAGIC

ORIGIN, PAIR = Origin("r", "p", 1), Pair("worker/3", "center/0", 2, 1)
KEY = bytes(range(32))
PARTS = tuple(Part(size, memory=np.zeros(size, np.uint8)) for size in (1024, 512))
"""What comes beside a body: little, for a payload may stand for much more."""
SEGMENT = (5, 0, 4096, 2)
"""Of memory that is lent: its number, its place, and the size and number of its slots."""


@dataclasses.dataclass(frozen=True)
class Point:
    """A record that a handler names."""

    x: int
    y: Any


class Span(NamedTuple):
    """Another one."""

    begin: int
    end: Any


def message(body: Body, number: int = 7, deadline: float | None = None) -> Message:
    return Message(Kind.ASK, number, "exchange", body, (("worker/3", 6),), 8, deadline=deadline)


def place(_part: Part) -> tuple[int, int, int, int]:
    """Lend a part where memory is lent."""
    return SEGMENT[0], 1, 64, 128


def framed() -> list[bytes]:
    """Frames: of short messages, of long ones, of lent parts, of words, and of all that."""
    short = [Message(kind, 3, "go", Body(b"\x90", plain=True)) for kind in Kind]
    long = [message(Body(b"abc", parts=PARTS), 9), message(Body(b"abc"), 10, 5.0)]
    ack, losses = Ack(4, 3, 200), Ack(4, 2, 200, dict.fromkeys(DROPS, 1))
    probe = Probe("worker/3", "center/0", "worker/3", 4, 1, (Wait("worker/3.Worker.go", 9),))
    words: list[Word] = [Cancel(*PAIR, 5), probe]
    frames_ = [
        Frame(ORIGIN, [(PAIR, Packet(4, tuple(short), ack))], []),
        Frame(ORIGIN, [(PAIR, Packet(4, tuple(long), losses))], []),
        Frame(ORIGIN, [(PAIR, Packet(0, (), ack)), (PAIR.turned, Packet(1, (), ack))], []),
        Frame(ORIGIN, [], words),
        Frame(ORIGIN, [(PAIR, Packet(4, (*short, *long), losses))] * 2, words),
        Frame(ORIGIN, [(PAIR, Packet(4, tuple(short) * 20, ack))], []),
    ]
    lent = Frame(ORIGIN, [(PAIR, Packet(4, (long[0],), ack))], [])
    return [
        *(frames.pack_frame(frame, 0.0) for frame in frames_),
        frames.pack_frame(lent, 0, place),
    ]


def headers() -> list[bytes]:
    """Headers of chunks."""
    packet = Packet(3, (message(Body(b"", parts=PARTS)),), Ack())
    return [header for header, _ in frames.chunks("r", PAIR, packet)]


def bodies() -> list[bytes]:
    """Bodies of all that travels."""
    small, wide = torch.arange(6.0).view(2, 3), np.arange(5, dtype=">i4")
    values: list[Any] = [
        [1, "a", b"b", None, True, 1.5, {"a": [1], 2: {}}],
        (1, (2, (3, [(4,)]))), 2**90, -(2**70), {(1, 2): 3, 2**80: 4},
        small, small.to(torch.bfloat16), torch.ones(()), torch.ones(0, 3), wide, np.ones((2, 2)),
        Point(1, small), Span(2, (3, Point(1, 2))), [[small, wide], {"x": Span(1, 2)}],
    ]  # fmt: skip
    made = [codec.encode(value).data for value in values]
    beside = [
        _extension(forms.TENSOR, ["float32", [2, 128], 0]),
        _extension(codec.ARRAY, ["<f8", [64], 1]),
    ]
    compressed = [
        _extension(codec.COMPRESSED, [dtype, [count], content, number])
        for number, dtype, count, content in (
            (1, "float32", 256, 1), (2, "float16", 64, bytes(128)),
            (3, "float32", 1024, bytes(1028)),
            (4, "float32", 100, bytes(80)), (4, "float64", 100, bytes(96)),
        )
    ]  # fmt: skip
    handles = [
        _extension(codec.GROUP, [msgpack.ExtType(codec.REF, b"center/0")]),
        _extension(codec.GROUP, ["worker/0", "worker/1"]),
        _extension(codec.GROUP, [["worker/0"], "worker", "worker/1"]),
        msgpack.packb([[msgpack.ExtType(codec.REF, b"center/0")], {}]),
    ]
    return [*made, *beside, *compressed, *handles]


def _extension(code: int, content: Any) -> bytes:
    data: bytes = msgpack.packb(msgpack.ExtType(code, msgpack.packb(content)))
    return data


def plain() -> list[bytes]:
    """Bodies of what msgpack knows by itself, as arguments too."""
    values: list[Any] = [[[], {}], [[1, "a", 2.5], {"x": None}], {"a": [b"b", {1: 2}]}, [[[[]]]]]
    return [codec.encode(value).data for value in values]


def news() -> list[bytes]:
    """News of memory that is lent."""
    told: list[Any] = [
        [True, [SEGMENT], []],
        [True, [], []],
        [False, [], [5]],
        [True, [SEGMENT], [4]],
        [True, [[*SEGMENT, GPU]], []],
    ]
    return [msgpack.packb(each) for each in told]


def key_words() -> list[bytes]:
    """Words about keys."""
    return [msgpack.packb([VERSION, *word]) for word in ((0, KEY), (1, 7), (2, 2**63))]


def packets() -> list[bytes]:
    """What agents say to each other."""
    said: list[tuple[str, Any]] = [
        ("hello", {"the wiring": "abc"}),
        ("refused", ["the wiring is another"]),
        ("stranger", []),
        ("line", [1.5, 0.5, 3, 1, ["beats", {"a/0": [1, 2]}]]),
        ("line", [1.5, 0.5, 3, 0, None]),
    ]
    return [msgpack.packb([MAGIC, "b", "session", "", *each]) for each in said]


def sealed() -> list[bytes]:
    """Sealed chunks, each with the length of its head before it."""
    sealer, room = Sealer(KEY), memoryview(bytearray(4096))
    found = []
    for header in headers():
        head, body = sealer.seal(header, memoryview(bytes(100)), room)
        found.append(bytes([len(head)]) + head + bytes(body))
    return found


def streams() -> list[bytes]:
    """What comes over a control connection: who speaks, frames and news."""
    told = [b"p/1", NEWS + news()[0], *framed()]
    return [letters(*told), letters(*told[:2], *told[-1:]), letters(*told[:2], NEWS + news()[2])]


def chunk_streams() -> list[bytes]:
    """What comes over a connection for chunks."""
    found = [len(head).to_bytes(2, "little") + head + bytes(50) for head in headers()]
    return [letters(b"p/1", *found), letters(b"p/1", found[0])]


def bulk_streams() -> list[bytes]:
    """What comes over a connection for chunks between hosts; the first byte says whether sealed."""
    hello, sealer = pack_hello(epoch_of(KEY), KEY), Sealer(KEY)
    chunks = [(header, memoryview(bytes(100))) for header in headers()]
    plain_ = b"".join(_record(header, bytes(body)) for header, body in chunks)
    shut = b""
    for header, body in chunks:
        head, data = sealer.seal(header, body, memoryview(bytearray(4096)))
        shut += _record(head, bytes(data))
    return [b"\0" + hello + plain_, b"\1" + hello + shut]


def _record(header: bytes, data: bytes) -> bytes:
    return RECORD.pack(len(header), len(data)) + header + data


def letters(*messages: bytes) -> bytes:
    return b"".join(LENGTH.pack(len(each)) + each for each in messages)
