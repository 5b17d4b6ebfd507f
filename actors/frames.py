"""Packets ⇄ frames: the versioned wire format. What does not fit it is a ValueError, never more."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack

from tether.actors import tensors
from tether.actors.message import Body, Kind, Message, Part
from tether.actors.packet import NONE_DROPPED, Ack, Packet, Pair
from tether.actors.words import Word, packed_word, text, unpacked_word, whole

VERSION = 3
CODEC = 0
"""How a body is laid out: 0 is msgpack and its parts. It says nothing of compressed tensors: each
bears the number of its own codec, as a message may have some that are compressed and some not."""
KEY_EPOCH = 0
"""Which of the run's keys seals the parts: 0 is none."""
CHUNK = 1 << 20
KINDS = {int(kind): kind for kind in Kind}
FRAME_BYTES = 2 << 20
"""Bytes of structure after which a frame is closed; the wire's limit is 8 MiB."""
STRUCTURE_LIMIT = 1 << 20
"""Bytes of structure beyond which it travels in chunks as tensors do."""

NO_BYTES = memoryview(b"")

Lend = Callable[[Part], tuple[int, int, int, int] | None]
"""Returns where its receiver can read a part: segment, slot, start and bytes; or None."""
Lease = Callable[[int, int, int, int], Any]
"""Returns the memory of such a place; raises ValueError if nothing is lent there."""

_PACKER = msgpack.Packer()
"""Given plain data it runs nobody's code while it packs, so that one is enough."""


class Origin(NamedTuple):
    """Which process of which run a frame comes from."""

    run: str
    process: str
    incarnation: int


class Frame(NamedTuple):
    """All that one process has to say to another at one turn of its loop."""

    origin: Origin
    packets: list[tuple[Pair, Packet]]
    words: list[Word]


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
    origin = frame.origin
    packets = [_packed(pair, packet, now, lend) for pair, packet in frame.packets]
    words = [packed_word(word) for word in frame.words]
    head = [VERSION, origin.run, origin.process, origin.incarnation, KEY_EPOCH]
    data: bytes = _PACKER.pack([*head, packets, words])
    return data


def _packed(pair: Pair, packet: Packet, now: float, lend: Lend | None) -> list[Any]:
    first, messages, (received, handled, settled, dropped) = packet
    acks = [received, handled, settled, dropped]
    return [*pair, first, acks, [_packed_message(message, now, lend) for message in messages]]


def _packed_message(message: Message, now: float, lend: Lend | None) -> list[Any]:
    body, end = message.body, message.deadline
    data: bytes | None = body.data
    sizes = [_size(part, lend) for part in body.parts] if body.parts else []
    if len(body.data) > STRUCTURE_LIMIT:
        sizes.append(len(body.data))
        data = None
    left = None if end is None else end - now
    head = [message.kind, message.number, message.method, left, message.chain, message.cut]
    return [*head, CODEC, data, sizes]


def _size(part: Part, lend: Lend | None) -> Any:
    return (lend and lend(part)) or part.nbytes


def unpack_frame(data: bytes, now: float, lease: Lease | None = None) -> Frame:
    """Return the frame of these bytes; raises ValueError when they are none of this version.

    `lease` gives the memory of parts that are spoken of by where they lie.
    """
    try:
        version, run, process, incarnation, _epoch, packets, words = msgpack.unpackb(data)
        if version != VERSION:
            raise ValueError(f"wire version {version} came, but version {VERSION} is spoken here")
        return Frame(
            Origin(text(run), text(process), whole(incarnation)),
            [_unpacked(packet, now, lease) for packet in packets],
            [unpacked_word(word) for word in words],
        )
    except (TypeError, AttributeError, OverflowError, msgpack.UnpackException) as error:
        raise ValueError(f"a frame of {len(data)} bytes is malformed: {error!r}") from error


def _unpacked(plain: list[Any], now: float, lease: Lease | None) -> tuple[Pair, Packet]:
    source, target, source_incarnation, target_incarnation, first, acks, messages = plain
    pair = Pair(text(source), text(target), whole(source_incarnation), whole(target_incarnation))
    received, handled, settled, dropped = acks
    ack = Ack(whole(received), whole(handled), whole(settled), _losses(dropped))
    due = [_unpacked_message(message, now, lease) for message in messages]
    return pair, Packet(whole(first), tuple(due), ack)


def _losses(dropped: Any) -> Mapping[str, int]:
    if dropped == {}:
        return NONE_DROPPED
    return {text(why): whole(count) for why, count in dropped.items()}


def _unpacked_message(plain: list[Any], now: float, lease: Lease | None) -> Message:
    kind, number, method, left, chain, cut, codec, data, sizes = plain
    if codec != CODEC:
        raise ValueError(f"a message is encoded by codec {codec}, which is not known here")
    parts = () if sizes == [] else tuple([_part(size, lease) for size in sizes])
    if type(data) is not bytes and not (data is None and parts):
        raise ValueError("a message came without its structure")
    body = Body(data or b"", parts)
    end = None if left is None else _deadline(left, now)
    links = () if chain == [] else tuple([(text(actor), whole(call)) for actor, call in chain])
    return Message(_kind(kind), whole(number), text(method), body, end, links, whole(cut))


def _part(size: Any, lease: Lease | None) -> Part:
    if type(size) is not list:
        return Part(whole(size))
    if lease is None:
        raise ValueError("a part lies in shared memory, but this connection shares none")
    number, slot, start, nbytes = map(whole, size)
    return Part(nbytes, memory=lease(number, slot, start, nbytes))


def _deadline(left: Any, now: float) -> float:
    deadline = now + float(left)
    if not math.isfinite(deadline):
        raise ValueError(f"{left} seconds are left for a message, but a finite time is wanted")
    return deadline


def _kind(value: Any) -> Kind:
    kind = KINDS.get(value)
    if kind is None:
        raise ValueError(f"{value!r:.40} came where a kind of message belongs")
    return kind


def chunks(
    run: str, pair: Pair, packet: Packet, lent: Collection[int] = ()
) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the headers and bytes of all chunks that belong to a packet's messages.

    Parts that are `lent`, by their `id`, have none.
    """
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
    try:
        version, run, source, target, *numbers = msgpack.unpackb(header)
        if version != VERSION:
            raise ValueError(f"wire version {version} came, but version {VERSION} is spoken here")
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
        for message in item[1].messages:
            size += len(message.body.data)
    return found
