"""The wire format comes back as it went, and nothing that comes can do more than be refused."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.actors import frames
from tether.actors.frames import Chunk, Frame, Origin
from tether.actors.journal import DROPS
from tether.actors.message import END, Body, Kind, Message, Part
from tether.actors.packet import NONE_DROPPED, Ack, Packet, Pair
from tether.actors.words import Cancel, Probe, Wait

PAIR = Pair("worker/3", "center/0", 2, 1)
counts = st.integers(0, 2**62)
pairs = st.builds(Pair, st.text(), st.text(), counts, counts)
acks = st.builds(Ack, counts, counts, counts, st.dictionaries(st.text(), counts, max_size=3))
messages = st.tuples(
    st.sampled_from(Kind),
    counts,
    st.text(),
    st.binary().map(Body),
    st.lists(st.tuples(st.text(), counts), max_size=3).map(tuple),
    counts,
    st.just(END),
    st.none() | st.floats(0, 1e6),
).map(lambda fields: Message(*fields))
packets = st.builds(Packet, counts, st.lists(messages, max_size=3).map(tuple), acks)
cancels = st.builds(Cancel, st.text(), st.text(), counts, counts, counts, st.sampled_from(DROPS))
waits = st.builds(Wait, st.text(), counts)
probes = st.builds(
    Probe, st.text(), st.text(), st.text(), counts, counts,
    st.lists(waits, min_size=1, max_size=3).map(tuple),
)  # fmt: skip
words = cancels | probes
whole = st.builds(
    Frame,
    st.builds(Origin, st.text(), st.text(), counts),
    st.lists(st.tuples(pairs, packets), max_size=3),
    st.lists(words, max_size=3),
)


def plain(message: Message) -> tuple[Any, ...]:
    sizes = [part.nbytes for part in message.body.parts]
    head = (message.kind, message.number, message.method, message.cut, message.chain)
    return (*head, message.body.data, sizes)


def sample() -> bytes:
    """Return a frame of one message and two words."""
    message = Message(Kind.ASK, 7, "exchange", Body(b"abc"), (("worker/3", 6),), 8, deadline=5.0)
    packet = Packet(4, (message,), Ack(1, 1, 64, {"expired": 0}))
    probe = Probe("worker/3", "center/0", "worker/3", 4, 1, (Wait("worker/3.Worker.go", 9),))
    frame = Frame(Origin("r", "p", 1), [(PAIR, packet)], [Cancel(*PAIR, 5), probe])
    return frames.pack_frame(frame, 0.0)


def packed(*changes: tuple[tuple[int, ...], Any]) -> bytes:
    """Return that frame with some fields replaced, by their places."""
    tree = msgpack.unpackb(sample())
    for path, value in changes:
        inner = tree
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
    data: bytes = msgpack.packb(tree)
    return data


@given(whole)
def test_a_frame_comes_back_as_it_went(frame: Frame) -> None:
    back = frames.unpack_frame(frames.pack_frame(frame, 0.0), 0.0)

    assert (back.origin, back.words) == (frame.origin, frame.words)
    for (pair, packet), (pair_back, packet_back) in zip(frame.packets, back.packets, strict=True):
        assert pair_back == pair
        assert (packet_back.first, packet_back.ack) == (packet.first, packet.ack)
        assert list(map(plain, packet_back.messages)) == list(map(plain, packet.messages))


def test_the_bytes_of_a_frame_are_those_of_this_wire_version() -> None:
    assert sample().hex() == (
        "950593a172a1700100919594a8776f726b65722f33a863656e7465722f300201049401014081a765787069"
        "7265640091960107a865786368616e676592c403616263c29192a8776f726b65722f330608919300cb4014"
        "00000000000090929700a8776f726b65722f33a863656e7465722f30020105a963616e63656c6c65649701"
        "a8776f726b65722f33a863656e7465722f30a8776f726b65722f3304019192b2776f726b65722f332e576f"
        "726b65722e676f09"
    )


def test_only_parts_deadlines_and_long_structure_have_riders() -> None:
    tick = Message(Kind.TELL, 9, "tick", Body(b"\x92\x91\x01\x80", plain=True), cut=2)
    part = Part(9, memory=np.zeros(9, np.uint8))
    late = Message(Kind.ASK, 10, "now", Body(b"\x92", parts=(part,)), (("a/0", 1),), deadline=7.5)
    long = Message(Kind.ASK, 11, "all", Body(bytes(frames.STRUCTURE_LIMIT + 1)))
    packet = Packet(1, (tick, late, long), Ack())
    data = frames.pack_frame(Frame(Origin("r", "p", 1), [(PAIR, packet)], []), 5.0)

    *_, slips, riders = msgpack.unpackb(data)[3][0]
    assert slips == [
        [0, 9, "tick", [b"\x92\x91\x01\x80", True], [], 2],
        [1, 10, "now", [b"\x92", False], [["a/0", 1]], 0],
        [1, 11, "all", [b"", False], [], 0],
    ]
    assert riders == [[1, 2.5, [[9]]], [2, None, [[frames.STRUCTURE_LIMIT + 1]]]]
    assert [m.body.plain for m in unpacked(data)] == [True, False, False]


@given(pairs, st.lists(messages, max_size=3).map(tuple), acks)
def test_a_small_packet_alone_has_the_bytes_of_any_frame(
    pair: Pair, all_: tuple[Message, ...], ack: Ack
) -> None:
    packet = Packet(3, all_, ack, small=True)
    origin = Origin("r", "p", 1)

    alone = frames.pack_small(origin, pair, packet)

    assert alone == frames.pack_frame(Frame(origin, [(pair, packet)], []), 0.0)
    assert frames.unpack_frame(alone, 0.0).packets[0][1].small


def test_a_part_that_is_lent_is_spoken_of_by_where_it_lies() -> None:
    part = Part(9, memory=np.zeros(9, np.uint8))
    packet = Packet(1, (Message(Kind.ASK, 1, "x", Body(b"", parts=(part,))),), Ack())
    frame = Frame(Origin("r", "p", 1), [(PAIR, packet)], [])
    leased: list[tuple[int, ...]] = []

    data = frames.pack_frame(frame, 0.0, lambda _part: (3, 2, 64, 9))
    (back,) = unpacked(data, lambda *place: leased.append(place))

    assert (leased, back.body.parts[0].nbytes) == ([(3, 2, 64, 9)], 9)


def unpacked(data: bytes, lease: Any = None) -> tuple[Message, ...]:
    """Return the messages of a frame's only packet."""
    return frames.unpack_frame(data, 0.0, lease).packets[0][1].messages


def test_a_frame_that_cannot_be_packed_leaves_nothing_behind_for_the_next() -> None:
    before = sample()
    endless = Frame(Origin("r", "p", 2**70), [(PAIR, Packet(1, (), Ack()))], [])

    with pytest.raises(OverflowError):
        frames.pack_frame(endless, 0.0)

    assert sample() == before


def test_acknowledgements_without_a_loss_share_that_there_is_none() -> None:
    frame = Frame(Origin("r", "p", 1), [(PAIR, Packet(1, (), Ack(3, 3, 200)))], [])

    back = frames.unpack_frame(frames.pack_frame(frame, 0.0), 0.0)

    assert back.packets[0][1].ack.dropped is NONE_DROPPED


def test_a_deadline_travels_as_the_time_that_remains() -> None:
    message = Message(Kind.ASK, 1, "x", Body(b""), deadline=105.0)
    frame = Frame(Origin("r", "p", 1), [(PAIR, Packet(1, (message,), Ack()))], [])

    back = frames.unpack_frame(frames.pack_frame(frame, now=100.0), now=7.0)

    assert back.packets[0][1].messages[0].deadline == 12.0


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ((0,), 1, "wire version 1 came, but version 5 is spoken here"),
        ((0,), "5", r"a frame of .* bytes is malformed: Expected `int`, got `str` - at `\$\[0\]`"),
        ((1,), [1, 2], "Expected `array` of length 3, got 2"),
        ((1, 0), 5, r"Expected `str`, got `int` - at `\$\[1\]\[0\]`"),
        ((1, 2), -1, r"Expected `int` >= 0 - at `\$\[1\]\[2\]`"),
        ((1, 2), True, "Expected `int`, got `bool`"),
        ((3,), 3, "Expected `array`, got `int`"),
        ((3, 0, 0), ["worker/3", "center/0", 2, -1], "Expected `int` >= 0"),
        ((3, 0, 0), ["worker/3", 7, 2, 1], "Expected `str`, got `int`"),
        ((3, 0, 1), -4, "Expected `int` >= 0"),
        ((3, 0, 1), True, "Expected `int`, got `bool`"),
        ((3, 0, 2, 1), 2.5, "Expected `int`, got `float`"),
        ((3, 0, 2, 3), [1], "Expected `object`, got `array`"),
        ((3, 0, 2, 3), {"expired": -1}, "Expected `int` >= 0"),
        ((3, 0, 2), [1, 2], "Expected `array` of length 4, got 2"),
        ((3, 0, 3, 0), [1] * 3, "Expected `array` of at least length 4, got 3"),
        ((3, 0, 3, 0), [1, 7, "x", [b""], [], 0, None], "Expected `End`, got `NoneType`"),
        ((3, 0, 3, 0), [1, 7, "x", [b""], [], 0, {}], "Expected `End`, got `dict`"),
        ((3, 0, 3, 0, 0), 9, "Invalid enum value 9"),
        ((3, 0, 3, 0, 1), -7, "Expected `int` >= 0"),
        ((3, 0, 3, 0, 2), None, "Expected `str`, got `None`"),
        ((3, 0, 3, 0, 2), "x" * 1025, "Expected `str` of length <= 1024"),
        ((3, 0, 3, 0, 3), None, "Expected `array`, got `None`"),
        ((3, 0, 3, 0, 3), [], "Expected `array` of at least length 1, got 0"),
        ((3, 0, 3, 0, 3), [b"", 1], "Expected `bool`, got `int`"),
        ((3, 0, 3, 0, 3), [b"", True, None], "Expected `End`, got `NoneType`"),
        ((3, 0, 3, 0, 3), [b"", True, []], "Expected `End`, got `list`"),
        ((3, 0, 3, 0, 3, 0), None, "Expected `bytes`, got `None`"),
        ((3, 0, 3, 0, 3, 0), "abc", "Expected `bytes`, got `str`"),
        ((3, 0, 3, 0, 4), None, "Expected `array`, got `None`"),
        ((3, 0, 3, 0, 4), [["worker/3"]], "Expected `array` of length 2, got 1"),
        ((3, 0, 3, 0, 4), [["worker/3", -1]], "Expected `int` >= 0"),
        ((3, 0, 3, 0, 5), -1, "Expected `int` >= 0"),
        ((3, 0, 4, 0, 0), 1, "^message 1 of a packet of 1 is spoken of$"),
        ((3, 0, 4, 0, 1), "soon", r"Expected `float \| null`, got `str`"),
        ((3, 0, 4, 0, 1), float("nan"), "^nan seconds are left for a message, but a finite time"),
        ((3, 0, 4, 0, 2), [[1.5]], "Expected `int`, got `float`"),
        ((3, 0, 4, 0, 2), 0, "Expected `array`, got `int`"),
        ((3, 0, 4, 0, 2), [[1, 2]], r"^\(1, 2\) is neither the size of a part nor where it lies$"),
        (
            (3, 0, 4, 0, 2),
            [[0, 1, 2, 3]],
            "^a part lies in shared memory, but this",
        ),
        ((4, 0), [0, "a"], "not enough values to unpack"),
        ((4, 0, 0), 2, "a word of kind 2 came, which is not one of this wire version"),
        ((4, 0), "ab", "not enough values to unpack"),
        ((4, 0), 5, "5 came where a word belongs"),
        ((4, 0, 6), "because", "'because' came where a reason to drop a call belongs"),
    ],
)
def test_a_frame_with_a_wrong_field_is_refused(
    path: tuple[int, ...], value: Any, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        frames.unpack_frame(packed((path, value)), 0.0)


@given(st.binary(max_size=200))
def test_random_bytes_are_never_more_than_a_value_error(data: bytes) -> None:
    for unpack in (lambda d: frames.unpack_frame(d, 0.0), frames.unpack_chunk):
        try:
            unpack(data)
        except ValueError:
            continue


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6), st.integers(0))
def test_mutated_frames_and_headers_are_never_more_than_a_value_error(
    flips: list[tuple[int, int]], cut: int
) -> None:
    header = msgpack.packb([frames.VERSION, "run", *PAIR, 4, 0, 0, 100])
    unpack_frame = lambda d: frames.unpack_frame(d, 0.0)  # noqa: E731
    for valid, unpack in ((packed(), unpack_frame), (header, frames.unpack_chunk)):
        data = bytearray(valid)
        for at, byte in flips:
            data[at % len(data)] = byte
        try:
            unpack(bytes(data[: len(data) - cut % 3]))
        except ValueError:
            continue


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip
places = st.sampled_from(
    [(k,) for k in range(5)]
    + [(1, k) for k in range(3)]
    + [(3, 0), (3, 0, 3, 0), (3, 0, 4, 0), (4, 0), (4, 1), (4, 1, 6, 0)]
    + [(4, word, k) for word in range(2) for k in range(7)]
    + [(3, 0, k) for k in range(5)]
    + [(3, 0, 0, k) for k in range(4)]
    + [(3, 0, 2, k) for k in range(4)]
    + [(3, 0, 3, 0, k) for k in range(6)]
    + [(3, 0, 3, 0, 3, k) for k in range(2)]
    + [(3, 0, 4, 0, k) for k in range(3)]
)


@given(st.lists(st.tuples(places, junk), min_size=1, max_size=2))
def test_well_formed_nonsense_is_never_more_than_a_value_error(
    changes: list[tuple[tuple[int, ...], Any]],
) -> None:
    try:
        data = packed(*changes[:1])
    except (TypeError, IndexError):
        return
    try:
        frames.unpack_frame(data, 0.0)
    except ValueError:
        return


def test_large_parts_travel_in_chunks_of_a_mebibyte_at_most() -> None:
    memory = np.arange(2 * frames.CHUNK + 5, dtype=np.uint8)
    message = Message(Kind.ASK, 1, "x", Body(b"", parts=(Part(memory.nbytes, memory=memory),)))

    pieces = list(frames.chunks("run", PAIR, Packet(9, (message,), Ack())))

    heads = [frames.unpack_chunk(header) for header, _ in pieces]
    assert heads == [Chunk("run", PAIR, 9, 0, at * frames.CHUNK, memory.nbytes) for at in range(3)]
    assert [len(data) for _, data in pieces] == [frames.CHUNK, frames.CHUNK, 5]
    assert b"".join(data for _, data in pieces) == memory.tobytes()


def test_only_what_is_large_of_a_packet_travels_in_chunks() -> None:
    memory = np.arange(3, dtype=np.uint8)
    bodies = (Body(b"a"), Body(b"b", parts=(Part(3, memory=memory),)), Body(b"c"))
    messages = tuple(Message(Kind.ASK, k, "x", body) for k, body in enumerate(bodies))

    pieces = list(frames.chunks("run", PAIR, Packet(5, messages, Ack())))

    assert [frames.unpack_chunk(header).number for header, _ in pieces] == [6]
    assert [bytes(data) for _, data in pieces] == [b"\0\1\2"]


def test_packets_are_split_in_frames_where_their_structure_fills_one() -> None:
    half = Message(Kind.TELL, 1, "x", Body(bytes(frames.FRAME_BYTES // 2)))
    packets = [(PAIR, Packet(k, (half,), Ack())) for k in range(5)]

    found = frames.batches(packets)

    assert [[packet.first for _, packet in batch] for batch in found] == [[0, 1], [2, 3], [4]]


def test_large_structure_travels_in_chunks_as_the_last_part() -> None:
    data = bytes(frames.STRUCTURE_LIMIT + 1)
    message = Message(Kind.ASK, 1, "x", Body(data))
    packet = Packet(1, (message,), Ack())

    frame = frames.pack_frame(Frame(Origin("r", "p", 1), [(PAIR, packet)], []), 0.0)
    pieces = list(frames.chunks("r", PAIR, packet))

    assert len(frame) < 200
    part = frames.unpack_frame(frame, 0.0).packets[0][1].messages[0].body.parts[0]
    assert part.nbytes == len(data)
    assert b"".join(piece for _, piece in pieces) == data


@pytest.mark.parametrize(
    ("head", "text"),
    [
        ([4, "r", *PAIR, 1, 0, 0, 9], "wire version 4 came, but version 5 is spoken here"),
        ([5, "r", *PAIR, 1, 0, 0], "not enough values to unpack"),
        ([5, "r", *PAIR, 1, 0, 0, -9], "-9 came where a count belongs"),
        ([5, None, *PAIR, 1, 0, 0, 9], "None came where a name belongs"),
        (7, "a chunk's header is malformed: TypeError"),
    ],
)
def test_a_chunk_with_a_wrong_header_is_refused(head: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        frames.unpack_chunk(msgpack.packb(head))
