"""Packets ⇄ frames: the versioned wire format. What does not fit it is a ValueError, never more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack

from tether.actors import tensors
from tether.actors.message import Body, Kind, Message, Part
from tether.actors.packet import Ack, Packet

VERSION = 1
CODEC = 0
"""How tensors are encoded in parts: 0 is their raw bytes; compressing ones come with the edges."""
KEY_EPOCH = 0
"""Which of the run's keys seals the parts: 0 is none."""
CHUNK = 1 << 20
KINDS = {int(kind): kind for kind in Kind}
STRUCTURE_LIMIT = 1 << 20
"""Bytes of structure beyond which it travels in chunks as tensors do."""


class Pair(NamedTuple):
    """Who speaks to whom, in which incarnations."""

    source: str
    target: str
    source_incarnation: int
    target_incarnation: int


class Cancel(NamedTuple):
    """The runtime's own word that nobody waits for a call any more; it overtakes messages."""

    source: str
    target: str
    number: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Which process of which run a frame comes from."""

    run: str
    process: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Frame:
    """All that one process has to say to another at one turn of its loop."""

    origin: Origin
    packets: list[tuple[Pair, Packet]]
    cancels: list[Cancel]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a large part: which link, message and part, and where it belongs."""

    run: str
    pair: Pair
    number: int
    part: int
    offset: int
    total: int


def pack_frame(frame: Frame, now: float) -> bytes:
    """Return the bytes of a frame; deadlines travel as the time that remains."""
    origin = frame.origin
    packets = [[*pair, *_packed(packet, now)] for pair, packet in frame.packets]
    cancels = [list(cancel) for cancel in frame.cancels]
    head = [VERSION, origin.run, origin.process, origin.incarnation, KEY_EPOCH]
    data: bytes = msgpack.packb([*head, packets, cancels])
    return data


def _packed(packet: Packet, now: float) -> list[Any]:
    ack = packet.ack
    acks = [ack.received, ack.handled, ack.bytes, ack.dropped]
    return [packet.first, acks, [_packed_message(message, now) for message in packet.messages]]


def _packed_message(message: Message, now: float) -> list[Any]:
    data: bytes | None = message.body.data
    sizes = [part.nbytes for part in message.body.parts]
    if len(message.body.data) > STRUCTURE_LIMIT:
        sizes.append(len(message.body.data))
        data = None
    left = None if message.deadline is None else message.deadline - now
    return [message.kind, message.number, message.method, left, message.chain, CODEC, data, sizes]


def unpack_frame(data: bytes, now: float) -> Frame:
    """Return the frame of these bytes; raises ValueError when they are none of this version."""
    try:
        version, run, process, incarnation, _epoch, packets, cancels = msgpack.unpackb(data)
        if version != VERSION:
            raise ValueError(f"wire version {version} came, but version {VERSION} is spoken here")
        return Frame(
            Origin(_text(run), _text(process), _whole(incarnation)),
            [_unpacked(packet, now) for packet in packets],
            [Cancel(_text(s), _text(t), _whole(number)) for s, t, number in cancels],
        )
    except (TypeError, AttributeError, OverflowError, msgpack.UnpackException) as error:
        raise ValueError(f"a frame of {len(data)} bytes is malformed: {error!r}") from error


def _unpacked(plain: list[Any], now: float) -> tuple[Pair, Packet]:
    source, target, source_incarnation, target_incarnation, first, acks, messages = plain
    pair = Pair(
        _text(source), _text(target), _whole(source_incarnation), _whole(target_incarnation)
    )
    received, handled, settled, dropped = acks
    losses = {_text(why): _whole(count) for why, count in dropped.items()}
    ack = Ack(_whole(received), _whole(handled), _whole(settled), losses)
    due = tuple(_unpacked_message(message, now) for message in messages)
    return pair, Packet(_whole(first), due, ack)


def _unpacked_message(plain: list[Any], now: float) -> Message:
    kind, number, method, left, chain, codec, data, sizes = plain
    if codec != CODEC:
        raise ValueError(f"a message is encoded by codec {codec}, which is not known here")
    parts = tuple(Part(_whole(size)) for size in sizes)
    if not isinstance(data, bytes | None) or (data is None and not parts):
        raise ValueError("a message came without its structure")
    links = tuple((_text(actor), _whole(call)) for actor, call in chain)
    deadline = None if left is None else now + float(left)
    if deadline is not None and not math.isfinite(deadline):
        raise ValueError(f"{left} seconds are left for a message, but a finite time is wanted")
    body = Body(data or b"", parts)
    return Message(_kind(kind), _whole(number), _text(method), body, deadline, links)


def _kind(value: Any) -> Kind:
    kind = KINDS.get(value)
    if kind is None:
        raise ValueError(f"{value!r:.40} came where a kind of message belongs")
    return kind


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} came where a name belongs")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.40} came where a count belongs")
    return value


def chunks(run: str, pair: Pair, packet: Packet) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the headers and bytes of all chunks that belong to a packet's messages."""
    for number, message in enumerate(packet.messages, packet.first):
        views = [tensors.raw(part) for part in message.body.parts]
        if len(message.body.data) > STRUCTURE_LIMIT:
            views.append(memoryview(message.body.data))
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
        from_, to, number, part, offset, total = map(_whole, numbers)
    except (TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"a chunk's header is malformed: {error!r}") from error
    return Chunk(
        _text(run), Pair(_text(source), _text(target), from_, to), number, part, offset, total
    )
