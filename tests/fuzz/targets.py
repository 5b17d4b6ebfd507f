"""All that decodes what a peer has said, each with what it promises."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from tests.actors.pretend import Pretend
from tests.fuzz import seeds
from tests.fuzz.contract import MEBIBYTE, Breach, Target
from tests.fuzz.wires import MOST_FILES, Wires, copies
from tether.actors import accelerator, agreement, codec, frames
from tether.actors.inflow import MAX_MESSAGE
from tether.actors.leases import Leases
from tether.actors.loans import BOARD
from tether.actors.message import Body
from tether.actors.plain import plain_arguments
from tether.actors.region import Region
from tether.actors.sealing import Opener, envelope
from tether.runners import exchange
from tether.runners.line import Line

EXPANDS = 667
"""Bytes of a tensor for each byte of a payload that stands for it, at most."""
SEEN = Pretend()
"""A GPU whose memory is lent, too."""
MEMORY = np.zeros(64 * MEBIBYTE, np.uint8)
"""What is given to who takes memory: nobody here keeps it."""


def lease(number: int, slot: int, start: int, nbytes: int) -> Any:
    """Give what is lent; nothing else."""
    _number, _place, size, slots = seeds.SEGMENT
    if number != _number or slot >= slots or not nbytes or start + nbytes > size:
        raise ValueError(f"a part lies in segment {number}, which was not announced")
    return _scratch(nbytes)


def _scratch(nbytes: int) -> Any:
    return MEMORY[:nbytes]


def frame(data: bytes) -> object:
    return frames.unpack_frame(data, 0.0, lease)


def body(data: bytes) -> object:
    """Decode a body that came with two parts."""
    parts = seeds.PARTS
    most = EXPANDS * (len(data) + sum(part.nbytes for part in parts))

    def take(nbytes: int) -> Any:
        if nbytes > most:
            raise Breach(f"{nbytes} bytes of memory are taken, but {most} is the limit")
        return _scratch(nbytes)

    records = {"Point": seeds.Point, "Span": seeds.Span}
    group: Callable[[str, str], Any] = lambda table, without: (table, without)  # noqa: E731
    return codec.decode(
        Body(data, parts=parts), records=records, ref=str.upper, group=group, take=take
    )


def plain(data: bytes) -> object:
    return codec.decode(Body(data, plain=True))


def arguments(data: bytes) -> object:
    return plain_arguments(Body(data, plain=True))


@cache
def _regions() -> tuple[Region, Region]:
    _number, _place, size, slots = seeds.SEGMENT
    return Region.create(BOARD), Region.create(size * slots)


def news(data: bytes) -> object:
    """Take in news of memory that has come along, and read some of it."""
    files = copies([region.fd for region in _regions()])
    if max(files) > MOST_FILES:
        raise Breach("descriptors are left open")
    leases, real = Leases(), accelerator.here
    accelerator.here = SEEN
    try:
        leases.passed(files)
        leases.news(data)
        return leases.lease(seeds.SEGMENT[0], 1, 64, 128).nbytes
    finally:
        leases.close()
        accelerator.here = real


def packet(data: bytes) -> object:
    """Decode what an agent says, and take it in where it is of a line."""
    found = exchange.unpacked(data)
    return Line(0.0).take(found.body, 1.0) if found.word == "line" else found


def sealed(data: bytes) -> object:
    """Open a chunk: nobody who has not the key gets one past it, whatever he sends."""
    length = data[0] if data else 0
    head, sealed_data = data[1 : 1 + length], memoryview(data[1 + length :])
    number = envelope(head).number
    return Opener(seeds.KEY).open(number, head, sealed_data, lambda _head, size: _room(size))


def _room(size: int) -> memoryview:
    return memoryview(bytearray(size))


@cache
def _wires() -> Wires:
    return Wires()


def control(data: bytes) -> object:
    return _refused(_wires().write("control", data, [region.fd for region in _regions()]))


def bulk(data: bytes) -> object:
    return _refused(_wires().write("bulk", data))


def stream(data: bytes) -> object:
    """Read a connection of bulk between hosts, its chunks open or, after a first 1, sealed."""
    return _refused(_wires().stream(data[1:], sealed=data[:1] == b"\1"))


def _refused(times: int) -> int:
    if times:
        raise ValueError(f"it was refused {times} times, and counted")
    return times


def close() -> None:
    """Let go of what was opened."""
    if _wires.cache_info().currsize:
        _wires().close()
    for each in (_wires, _regions):
        each.cache_clear()


STREAM = MAX_MESSAGE + 4 * MEBIBYTE
"""Of memory: the longest message that may be announced, and what is read at once."""
_target = partial(Target, errors=(ValueError,))
TARGETS = {
    target.name: target
    for target in (
        _target("frame", frame, seeds=seeds.framed),
        _target("chunk", frames.unpack_chunk, seeds=seeds.headers),
        _target("body", body, seeds=seeds.bodies),
        _target("plain", plain, seeds=seeds.plain),
        _target("arguments", arguments, seeds=seeds.plain),
        Target("news", news, (ValueError, OSError), seeds.news),
        _target("keys", agreement.unpacked, seeds=seeds.key_words),
        _target("sealed", sealed, seeds=seeds.sealed, memory=4 * MEBIBYTE),
        _target("packet", packet, seeds=seeds.packets),
        _target("control", control, seeds=seeds.streams, memory=STREAM),
        _target("bulk", bulk, seeds=seeds.chunk_streams, memory=STREAM),
        _target("stream", stream, seeds=seeds.bulk_streams, memory=STREAM),
    )
}
