"""Packets ⇄ frames: the versioned wire format. What does not fit it is a ValueError, never more."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgpack
import msgspec

from tether.actors import tensors
from tether.actors.context import ending
from tether.actors.extent import SMALL, check_extent
from tether.actors.message import Count, Message, Name, Part
from tether.actors.packet import NONE_DROPPED, Packet, Pair, made_ack, made_packet
from tether.actors.words import Word, packed_word, text, unpacked_word, whole

VERSION = 5
KEY_EPOCH = 0
"""Which of the run's keys seals the parts: 0 is none."""
CHUNK = 1 << 20
FRAME_BYTES = 2 << 20
"""Bytes of structure after which a frame is closed; the wire's limit is 8 MiB."""
STRUCTURE_LIMIT = 1 << 20
"""Bytes of structure beyond which it travels in chunks as tensors do."""

NO_BYTES = memoryview(b"")
KNOWN = 4096
"""How many pairs and origins are remembered."""

T = TypeVar("T")
Lend = Callable[[Part], tuple[int, int, int, int] | None]
"""Returns where its receiver can read a part: segment, slot, start and bytes; or None."""
Lease = Callable[[int, int, int, int], Any]
"""Returns the memory of such a place; raises ValueError if nothing is lent there."""

Rider = tuple[Count, float | None, tuple[tuple[Count, ...], ...]]
"""What few messages have: which one of the packet, the seconds left, and of its parts either the
place, four numbers, or only the size. Structure that is too long is the last of them."""
Acked = tuple[Count, Count, Count, dict[Name, Count]]
Load = tuple[tuple[Name, Name, Count, Count], Count, Acked, tuple[Message, ...], tuple[Rider, ...]]
"""A packet as it travels."""
Layout = tuple[int, tuple[Name, Name, Count], int, tuple[Load, ...], tuple[Any, ...]]
"""A frame: the wire version, where it comes from, the epoch of its keys, its packets and words."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Layout).decode


class Origin(NamedTuple):
    """Which process of which run a frame comes from."""

    run: str
    process: str
    incarnation: int


_ORIGINS: dict[Any, Origin] = {}
_PAIRS: dict[Any, Pair] = {}
"""Those that came, by themselves as plain tuples."""


class Frame(NamedTuple):
    """All that one process has to say to another at one turn of its loop."""

    origin: Origin
    packets: list[tuple[Pair, Packet]]
    words: list[Word]


made_frame: Callable[[tuple[Origin, list[tuple[Pair, Packet]], list[Word]]], Frame] = partial(
    tuple.__new__, Frame
)
"""Makes one of all its fields; the class itself takes twice as long."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a large part: which link, message and part, and where it belongs."""

    run: str
    pair: Pair
    number: int
    part: int
    offset: int
    total: int


def pack_frame(frame: Frame, now: float, lend: Lend | None = None) -> bytes:
    """Return the bytes of a frame; deadlines travel as the time that remains.

    Parts that `lend` can lend are spoken of by where they lie, all others by their size.
    """
    packets = [
        (pair, first, ack, _slips(messages), () if small else [*_riders(messages, now, lend)])
        for pair, (first, messages, ack, _, small) in frame.packets
    ]
    words = [packed_word(word) for word in frame.words] if frame.words else ()
    return _encode((VERSION, frame.origin, KEY_EPOCH, packets, words))


def pack_small(origin: Origin, pair: Pair, packet: Packet) -> bytes:
    """Return the bytes of a frame of one packet, which is small: that is most of what leaves."""
    load = pair, packet.first, packet.ack, _slips(packet.messages), ()
    return _encode((VERSION, origin, KEY_EPOCH, (load,), ()))


def _slips(messages: Iterable[Message]) -> list[tuple[Any, ...]]:
    """Return what travels of messages: their first fields, and the first of their bodies."""
    return [
        (
            message.kind,
            message.number,
            message.method,
            (
                data if len(data := message.body.data) <= STRUCTURE_LIMIT else b"",
                message.body.plain,
            ),
            message.chain,
            message.cut,
        )
        for message in messages
    ]


def _riders(messages: Iterable[Message], now: float, lend: Lend | None) -> Iterator[Any]:
    """Yield what is to be said of those that have parts or a deadline, or are long."""
    for index, message in enumerate(messages):
        body, end = message.body, message.deadline
        sizes = [_size(part, lend) for part in body.parts]
        if len(body.data) > STRUCTURE_LIMIT:
            sizes.append((len(body.data),))
        if sizes or end is not None:
            yield index, None if end is None else end - now, sizes


def _size(part: Part, lend: Lend | None) -> tuple[int, ...]:
    return (lend and lend(part)) or (part.nbytes,)


def unpack_frame(data: bytes, now: float, lease: Lease | None = None) -> Frame:
    """Return the frame of these bytes; raises ValueError when they are none of this version.

    `lease` gives the memory of parts that are spoken of by where they lie.
    """
    if len(data) > SMALL:
        check_extent(data)
    try:
        version, origin, _epoch, loads, words = _decode(data)
        if version != VERSION:
            raise _other_version(version)
        packets = []
        for load in loads:  # mostly one: a comprehension would cost a call more
            packets.append(_unpacked(load, now, lease))  # noqa: PERF401
        known = _ORIGINS.get(origin) or remember(_ORIGINS, Origin(*origin))
        return made_frame(
            (known, packets, [unpacked_word(word) for word in words] if words else [])
        )
    except (msgspec.MsgspecError, RecursionError, TypeError) as error:
        raise _malformed(data, error) from error


def _other_version(version: object) -> ValueError:
    return ValueError(f"wire version {version} came, but version {VERSION} is spoken here")


def _malformed(data: bytes, error: Exception) -> ValueError:
    """Return what is wrong with a frame: of another version nothing else is to be said."""
    try:
        match msgspec.msgpack.decode(data):
            case [int(version), *_] if version != VERSION:
                return _other_version(version)
    except (msgspec.MsgspecError, RecursionError):
        pass
    return ValueError(f"a frame of {len(data)} bytes is malformed: {error}")


def _unpacked(load: Load, now: float, lease: Lease | None) -> tuple[Pair, Packet]:
    ends, first, (received, handled, size, dropped), due, riders = load
    pair = _PAIRS.get(ends) or remember(_PAIRS, Pair(*ends))
    ack = made_ack((received, handled, size, dropped or NONE_DROPPED))
    for index, left, sizes in riders:
        if index >= len(due):
            raise ValueError(f"message {index} of a packet of {len(due)} is spoken of")
        due[index].deadline = None if left is None else _deadline(left, now)
        due[index].body.parts = tuple([_part(size, lease) for size in sizes])
    return pair, made_packet((first, due, ack, 0, not riders))


def remember(known: dict[Any, T], value: T) -> T:
    """Keep what came, so that the next like it need not be made; return it."""
    if len(known) >= KNOWN:
        known.clear()
    known[value] = value
    return value


def _part(size: tuple[int, ...], lease: Lease | None) -> Part:
    match size:
        case [nbytes]:
            return Part(nbytes)
        case [segment, slot, start, nbytes] if lease is not None:
            return Part(nbytes, memory=lease(segment, slot, start, nbytes))
        case [_, _, _, _]:
            raise ValueError("a part lies in shared memory, but this connection shares none")
    raise ValueError(f"{size} is neither the size of a part nor where it lies")


def _deadline(left: float, now: float) -> float:
    if not math.isfinite(now + left):
        raise ValueError(f"{left} seconds are left for a message, but a finite time is wanted")
    return ending(now, left)


def chunks(
    run: str, pair: Pair, packet: Packet, lent: Collection[int] = ()
) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the headers and bytes of all chunks that belong to a packet's messages.

    Parts that are `lent`, by their `id`, have none.
    """
    if packet.small:
        return
    for number, message in enumerate(packet.messages, packet.first):
        body = message.body
        large = len(body.data) > STRUCTURE_LIMIT
        if not large and not body.parts:
            continue
        views = [NO_BYTES if id(part) in lent else tensors.raw(part) for part in body.parts]
        if large:
            views.append(memoryview(body.data))
        for part, view in enumerate(views):
            for offset in range(0, len(view), CHUNK):
                head = [VERSION, run, *pair, number, part, offset, len(view)]
                yield msgpack.packb(head), view[offset : offset + CHUNK]


def unpack_chunk(header: bytes) -> Chunk:
    """Return what a chunk's header says; raises ValueError when it is malformed."""
    check_extent(header)
    try:
        version, run, source, target, *numbers = msgpack.unpackb(header)
        if version != VERSION:
            raise _other_version(version)
        from_, to, number, part, offset, total = map(whole, numbers)
    except (TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"a chunk's header is malformed: {error!r}") from error
    return Chunk(
        text(run), Pair(text(source), text(target), from_, to), number, part, offset, total
    )


def batches(packets: list[tuple[Pair, Packet]]) -> list[list[tuple[Pair, Packet]]]:
    """Split packets into frames of bounded size."""
    found: list[list[tuple[Pair, Packet]]] = []
    size = FRAME_BYTES
    for item in packets:
        if size >= FRAME_BYTES:
            found.append([])
            size = 0
        found[-1].append(item)
        size += item[1].structure
    return found
