"""What happens on a simulated network, as lines: the same happenings, the same bytes."""

from __future__ import annotations

import io
from hashlib import blake2b

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.frames import STRUCTURE_LIMIT, VERSION, Frame, Origin, chunks, pack_frame
from tether.actors.message import Body, Kind, Message, Part
from tether.actors.packet import Ack, Packet, Pair
from tether.actors.words import Cancel
from tether.runners.trace import Trace

PAIR = Pair("worker/0", "center/0", 1, 2)
ENDS = ("worker-0", "center-0")


def frame(*messages: Message, deadline_at: float = 0.0) -> bytes:
    """Return a frame as it goes over the network."""
    packet = Packet(5, messages, Ack(3, 2, 128, {"expired": 1}))
    word = Cancel(*PAIR, number=4)
    return pack_frame(Frame(Origin("run", "worker-0", 1), [(PAIR, packet)], [word]), deadline_at)


def traced(*frames: bytes) -> tuple[str, Trace]:
    file = io.StringIO()
    trace = Trace(file)
    for number, data in enumerate(frames):
        trace.packet(number / 4, ENDS, len(data), data, None)
    return file.getvalue(), trace


def ask(data: bytes = b"\x01", number: int = 9) -> Message:
    return Message(Kind.ASK, number, "exchange", Body(data), (("worker/0", 3),), 2, deadline=1.5)


def test_an_empty_trace_has_the_digest_of_nothing() -> None:
    assert (Trace().lines, Trace().digest) == (0, blake2b(digest_size=16).hexdigest())


def test_an_event_is_a_line_with_its_time_in_full() -> None:
    file = io.StringIO()
    trace = Trace(file)

    trace.event(0.1 + 0.2, "lost", "worker-0", "center-0")
    trace.event(1.0, "crash worker/0")

    assert file.getvalue() == (
        "0.30000000000000004 lost worker-0 center-0\n"
        "1.0 crash worker/0 \n"
    )  # fmt: skip
    assert trace.lines == 2
    assert trace.digest == blake2b(file.getvalue().encode(), digest_size=16).hexdigest()


def test_without_a_file_the_digest_is_the_same() -> None:
    lines, filed = traced(frame(ask()), frame())
    unfiled = Trace()

    for line in lines.splitlines():
        time, what, rest = line.split(" ", 2)
        unfiled.event(float(time), what, rest)

    assert unfiled.digest == filed.digest


def test_a_frame_is_its_headers_with_the_size_and_digest_of_each_structure() -> None:
    data = frame(ask(b"\x01"), ask(b"\x02\x03", number=10))

    text, trace = traced(data)

    one, other = (blake2b(body, digest_size=8).hexdigest() for body in (b"\x01", b"\x02\x03"))
    assert trace.lines == 1
    head = f"[{VERSION}, ['run', 'worker-0', 1], 0, "
    assert text.startswith(f"0.0 frame worker-0 center-0 {len(data)} {head}")
    assert "[['worker/0', 'center/0', 1, 2], 5, [3, 2, 128, {'expired': 1}], [[" in text
    assert f"[1, 9, 'exchange', [['worker/0', 3]], 2, False, '{one}', 1]" in text
    assert f"[1, 10, 'exchange', [['worker/0', 3]], 2, False, '{other}', 2]" in text
    assert "[[0, 1.5, []], [1, 1.5, []]]" in text
    assert text.endswith("[[0, 'worker/0', 'center/0', 1, 2, 4, 'cancelled']]]\n")


def test_a_structure_that_travels_in_chunks_has_no_digest() -> None:
    message = ask(b"\x00" * (STRUCTURE_LIMIT + 1))

    text, _ = traced(frame(message))

    assert f"2, False, None, 0]], [[0, 1.5, [[{STRUCTURE_LIMIT + 1}]]]]" in text


def test_a_chunk_is_its_header_and_the_digest_of_its_data() -> None:
    body = Body(b"\x01", parts=(Part(8, memory=np.arange(8, dtype=np.uint8)),))
    ((header, data),) = chunks("run", PAIR, Packet(5, (Message(Kind.TELL, 1, "put", body),), Ack()))
    file = io.StringIO()

    Trace(file).packet(2.5, ENDS, len(header) + 8, header, bytes(data))

    digest = blake2b(bytes(range(8)), digest_size=8).hexdigest()
    assert file.getvalue() == (
        f"2.5 chunk worker-0 center-0 {len(header) + 8} "
        f"[{VERSION}, 'run', 'worker/0', 'center/0', 1, 2, 5, 0, 0, 8] {digest}\n"
    )


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_frames_that_differ_in_a_byte_have_another_digest(one: bytes, other: bytes) -> None:
    digests = [traced(frame(ask(data)))[1].digest for data in (one, one, other)]

    assert digests[0] == digests[1]
    assert (digests[0] == digests[2]) is (one == other)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.text(max_size=20)), max_size=20))
def test_the_digest_is_that_of_all_lines_in_their_order(events: list[tuple[float, str]]) -> None:
    file = io.StringIO(newline="")
    one, other = Trace(file), Trace()

    for time, what in events:
        one.event(time, what.encode().hex())
    for time, what in reversed(events):
        other.event(time, what.encode().hex())

    assert one.digest == blake2b(file.getvalue().encode(), digest_size=16).hexdigest()
    assert one.lines == len(events)
    assert (one.digest == other.digest) is (events == events[::-1])
