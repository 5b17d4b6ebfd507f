"""Packets ⇄ frames: the versioned wire format. What does not fit it is a ValueError, never more."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import msgpack

from tether.actors import tensors
from tether.actors.message import Body, Kind, Message, Part
from tether.actors.packet import NONE_DROPPED, Packet, Pair, made_ack, made_packet
from tether.actors.words import Word, packed_word, text, unpacked_word, whole

VERSION = 4
EXTENDED, PLAIN = CODECS = 0, 1
"""How a body is laid out: msgpack with extensions and parts, or msgpack alone. It says nothing of
compressed tensors: each bears the number of its own codec."""
KEY_EPOCH = 0
"""Which of the run's keys seals the parts: 0 is none."""
CHUNK = 1 << 20
KINDS = {int(kind): kind for kind in Kind}
FRAME_BYTES = 2 << 20
"""Bytes of structure after which a frame is closed; the wire's limit is 8 MiB."""
STRUCTURE_LIMIT = 1 << 20
"""Bytes of structure beyond which it travels in chunks as tensors do."""

NO_BYTES = memoryview(b"")
SHORT = 7
"""Fields of a message that has no parts and no deadline, and is not long."""
KNOWN = 4096
"""How many pairs and origins are remembered."""

T = TypeVar("T")
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


_ORIGINS: dict[Any, Origin] = {}
_PAIRS: dict[Any, Pair] = {}
"""Those that came and were found to be in order, by themselves as plain tuples."""


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
    packets = [
        (pair, first, ack, [_packed_message(message, now, lend) for message in messages])
        for pair, (first, messages, ack, _, _) in frame.packets
    ]
    words = [packed_word(word) for word in frame.words] if frame.words else ()
    data: bytes = _PACKER.pack((VERSION, frame.origin, KEY_EPOCH, packets, words))
    return data


def _packed_message(message: Message, now: float, lend: Lend | None) -> tuple[Any, ...]:
    """Return a message as plain data: most have neither parts nor a deadline, and are short."""
    body, end = message.body, message.deadline
    data = body.data
    codec = PLAIN if body.plain else EXTENDED
    head = message.kind, message.number, message.method, message.chain, message.cut, codec
    if end is None and not body.parts and len(data) <= STRUCTURE_LIMIT:
        return *head, data
    sizes = [_size(part, lend) for part in body.parts]
    left = None if end is None else end - now
    if len(data) > STRUCTURE_LIMIT:
        return *head, None, left, [*sizes, len(data)]
    return *head, data, left, sizes


def _size(part: Part, lend: Lend | None) -> Any:
    return (lend and lend(part)) or part.nbytes


def unpack_frame(data: bytes, now: float, lease: Lease | None = None) -> Frame:
    """Return the frame of these bytes; raises ValueError when they are none of this version.

    `lease` gives the memory of parts that are spoken of by where they lie.
    """
    try:
        version, origin, _epoch, packets, words = msgpack.unpackb(data, use_list=False)
        if version != VERSION:
            raise ValueError(f"wire version {version} came, but version {VERSION} is spoken here")
        return Frame(
            _ORIGINS.get(origin) or _origin(*origin),
            [_unpacked(packet, now, lease) for packet in packets],
            [unpacked_word(word) for word in words],
        )
    except (TypeError, AttributeError, OverflowError, msgpack.UnpackException) as error:
        raise ValueError(f"a frame of {len(data)} bytes is malformed: {error!r}") from error


def _unpacked(plain: tuple[Any, ...], now: float, lease: Lease | None) -> tuple[Pair, Packet]:
    ends, first, (received, handled, size, dropped), messages = plain
    pair = _PAIRS.get(ends) or _pair(*ends)
    if not first.__class__ is received.__class__ is handled.__class__ is size.__class__ is int:
        raise ValueError(f"{plain[1:3]!r:.80} came where counts belong")
    if first < 0 or received < 0 or handled < 0 or size < 0:
        raise ValueError(f"{plain[1:3]!r:.80} came where counts belong")
    ack = made_ack((received, handled, size, NONE_DROPPED if dropped == {} else _losses(dropped)))
    due = tuple([_unpacked_message(message, now, lease) for message in messages])
    return pair, made_packet((first, due, ack, 0, False))


def _origin(run: Any, process: Any, incarnation: Any) -> Origin:
    return remember(_ORIGINS, Origin(text(run), text(process), whole(incarnation)))


def _pair(source: Any, target: Any, here: Any, there: Any) -> Pair:
    return remember(_PAIRS, Pair(text(source), text(target), whole(here), whole(there)))


def remember(known: dict[Any, T], value: T) -> T:
    """Keep what was found to be in order, so that it need not be looked at again; return it."""
    if len(known) >= KNOWN:
        known.clear()
    known[value] = value
    return value


def _losses(dropped: Any) -> Mapping[str, int]:
    return {text(why): whole(count) for why, count in dropped.items()}


def _unpacked_message(plain: tuple[Any, ...], now: float, lease: Lease | None) -> Message:
    if len(plain) != SHORT:
        return _unpacked_long(plain, now, lease)
    kind, number, method, chain, cut, codec, data = plain
    if data.__class__ is not bytes:
        raise ValueError("a message came without its structure")
    if not (
        number.__class__ is cut.__class__ is int
        and number >= 0 <= cut
        and method.__class__ is str
        and chain.__class__ is tuple
        and kind in KINDS
        and codec in CODECS
    ):
        raise _amiss(plain)
    body = Body(data, (), codec == PLAIN)
    return Message(KINDS[kind], number, method, body, None, _links(chain) if chain else (), cut)


def _unpacked_long(plain: tuple[Any, ...], now: float, lease: Lease | None) -> Message:
    """Return a message that has parts or a deadline, or is long."""
    kind, number, method, chain, cut, codec, data, left, sizes = plain
    parts = tuple([_part(size, lease) for size in sizes])
    if data is None and parts:  # it is the last of them
        data = b""
    message = _unpacked_message((kind, number, method, chain, cut, codec, data), now, lease)
    message.body = Body(data, parts, message.body.plain)
    message.deadline = None if left is None else _deadline(left, now)
    return message


def _amiss(plain: tuple[Any, ...]) -> ValueError:
    """Return what is wrong with a message."""
    kind, number, method, _chain, cut, codec, _data = plain
    if codec not in CODECS:
        return ValueError(f"a message is encoded by codec {codec}, which is not known here")
    if kind not in KINDS:
        return ValueError(f"{kind!r:.40} came where a kind of message belongs")
    try:
        text(method), whole(number), whole(cut)
    except ValueError as error:
        return error
    return ValueError(f"a message is malformed: {plain!r:.80}")


def _links(chain: Any) -> tuple[tuple[str, int], ...]:
    return tuple([(text(actor), whole(call)) for actor, call in chain])


def _part(size: Any, lease: Lease | None) -> Part:
    if type(size) is not tuple:
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
        size += item[1].structure
    return found
