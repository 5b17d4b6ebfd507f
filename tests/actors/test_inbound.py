"""The receiving half puts messages and their chunks in order, within a bound."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import call
from tether.actors.inbound import AHEAD, Inbound
from tether.actors.journal import DROPS, Word
from tether.actors.message import OVERHEAD, Body, Kind, Message, Part
from tether.actors.packet import Ack, Window


def inbound(nbytes: int = 1000) -> Inbound:
    return Inbound(Window(bytes=nbytes), lambda n: np.zeros(n, np.uint8))


def large(number: int, *sizes: int) -> Message:
    parts = tuple(Part(size) for size in sizes)
    return Message(Kind.ASK, number, "take", Body(b"", parts=parts))


def put(inbox: Inbound, number: int, part: int, offset: int, data: bytes, total: int) -> list[int]:
    place = inbox.place(number, part, offset, len(data), total)
    if place is not None:
        place[:] = data
    return [message.number for message in inbox.due()]


def test_a_message_with_parts_is_due_when_its_last_chunk_is_there() -> None:
    inbox = inbound()
    message = large(5, 6, 2)

    due = [
        put(inbox, 1, 0, 3, b"def", 6),
        [m.number for m in inbox.accept(1, (message,))],
        put(inbox, 1, 1, 0, b"gh", 2),
        put(inbox, 1, 0, 0, b"abc", 6),
    ]

    assert due == [[], [], [], [5]]
    assert [part.memory.tobytes() for part in message.body.parts] == [b"abcdef", b"gh"]


def test_a_small_message_does_not_pass_a_large_one() -> None:
    inbox = inbound()

    first = inbox.accept(1, (large(1, 4), call(2)))
    due = put(inbox, 1, 0, 0, b"abcd", 4)

    assert (first, due) == ([], [1, 2])


def test_chunks_of_a_message_that_was_delivered_are_doubles() -> None:
    inbox = inbound()
    inbox.accept(1, (call(1),))

    place = inbox.place(1, 0, 0, 4, 4)

    assert place is None
    assert inbox.duplicates == 1


def test_what_comes_too_far_ahead_of_a_gap_is_left_to_be_sent_again() -> None:
    inbox = inbound()

    inbox.accept(AHEAD + 1, (call(1),))
    place = inbox.place(AHEAD + 1, 0, 0, 1, 1)
    due = inbox.accept(1, tuple(call(number) for number in range(AHEAD)))

    assert place is None
    assert len(due) == AHEAD
    assert inbox.received == AHEAD


def test_of_one_packet_too_no_more_is_taken_than_may_come_ahead() -> None:
    inbox = inbound()

    due = inbox.accept(1, tuple(call(number) for number in range(AHEAD + 1)))

    assert len(due) == inbox.received == AHEAD


def test_what_is_kept_ahead_of_a_gap_is_due_behind_what_fills_it() -> None:
    inbox, other = inbound(), inbound()

    ahead = inbox.accept(3, (call(3),))
    due = [m.number for m in inbox.accept(1, (call(1), call(2)))]
    after = [m.number for m in inbox.accept(4, (call(4),))]

    assert (ahead, due, after) == ([], [1, 2, 3], [4])
    assert [m.number for m in other.accept(1, (call(1),))] == [1]
    assert other.received == 1


def test_a_packet_without_messages_brings_what_its_chunks_have_completed_and_no_more() -> None:
    inbox = inbound()
    inbox.accept(1, (large(1, 4),))

    assert inbox.accept(2, ()) == []
    assert put(inbox, 1, 0, 0, b"abcd", 4) == [1]
    assert inbox.accept(9, ()) == []
    assert inbox.received == 1


def test_no_more_memory_is_prepared_than_two_windows() -> None:
    inbox = inbound(nbytes=1000)
    for number in (1, 2):
        inbox.place(number, 0, 0, 1, 1000)

    with pytest.raises(ValueError, match=r"a part of 1 bytes came, but the window is full"):
        inbox.place(3, 0, 0, 1, 1)


def test_one_part_larger_than_the_window_is_let_in_alone() -> None:
    inbox = inbound(nbytes=10)

    assert inbox.place(1, 0, 0, 1, 5000) is not None


def test_a_message_whose_parts_are_not_as_announced_is_an_error() -> None:
    inbox = inbound()
    inbox.accept(1, (large(1, 4),))
    inbox.place(1, 0, 0, 6, 6)

    with pytest.raises(ValueError, match=r"part 0 has 6 bytes, but the message says 4"):
        inbox.due()


def test_a_call_whose_parts_are_on_their_way_expires_when_nobody_waits_for_it() -> None:
    inbox = inbound()
    message, other = large(7, 4), large(8, 4)
    inbox.accept(1, (message, other))

    inbox.withdraw(7)

    assert message.deadline == -math.inf
    assert other.deadline is None


def test_settled_calls_are_booked_by_what_became_of_them() -> None:
    inbox = inbound()
    for message in inbox.accept(1, (call(1, size=36), call(2, size=36), call(3, size=36))):
        inbox.settle(message, "expired" if message.number == 2 else None)

    assert inbox.ack == Ack(3, 2, 300, {"expired": 1})
    assert inbox.ack.settled == inbox.settled == 3


def test_an_acknowledgement_stays_what_it_was_when_more_is_dropped() -> None:
    inbox = inbound()
    messages = inbox.accept(1, tuple(map(call, range(1, 4))))
    inbox.settle(messages[0], "expired")
    before = inbox.ack

    inbox.settle(messages[1], "expired")
    inbox.settle(messages[2], "cycle")

    assert before == Ack(3, 0, OVERHEAD, {"expired": 1})
    assert inbox.ack == Ack(3, 0, 3 * OVERHEAD, {"expired": 2, "cycle": 1})
    assert inbound().ack == Ack()


def test_rows_count_what_was_handled_and_dropped_and_its_bytes() -> None:
    inbox = inbound()
    whys = [None, "expired", "cancelled", None]

    for message, why in zip(inbox.accept(1, tuple(map(call, range(4)))), whys, strict=True):
        inbox.settle(message, why)

    row = inbox.row
    assert (row[Word.HANDLED], row[Word.HANDLED_BYTES]) == (2, 4 * OVERHEAD)
    assert dict(zip(DROPS, row[Word.DROPPED :], strict=True)) == {
        "cancelled": 1, "expired": 1, "superseded": 0, "cycle": 0, "absent": 0,
    }  # fmt: skip


def test_the_last_call_that_began_is_known_while_it_is_handled() -> None:
    inbox = inbound()

    inbox.start(7)

    assert inbox.row[Word.STARTED] == inbox.started == 7


def test_what_began_in_a_batch_after_a_later_one_was_dropped_takes_nothing_back() -> None:
    inbox = inbound()
    _, second = inbox.accept(1, (call(1), call(2)))
    inbox.settle(second, "expired")

    inbox.start(1)

    assert inbox.row[Word.STARTED] == 2


@pytest.mark.parametrize(
    ("why", "began"),
    [(None, 3), ("expired", 3), ("absent", 3), ("cancelled", 0), ("superseded", 0), ("cycle", 0)],
)
def test_only_what_was_next_in_turn_has_begun_when_it_is_settled(
    why: str | None, began: int
) -> None:
    inbox = inbound()

    inbox.settle(call(3), why)

    assert inbox.row[Word.STARTED] == began


@given(st.data(), st.lists(st.lists(st.binary(min_size=1, max_size=12), max_size=3), max_size=5))
def test_frames_and_chunks_may_come_in_any_order_and_any_number(
    data: st.DataObject, bodies: list[list[bytes]]
) -> None:
    inbox = inbound(nbytes=1 << 20)
    events: list[tuple[Any, ...]] = [("frame", number) for number in range(1, len(bodies) + 1)]
    for number, parts in enumerate(bodies, 1):
        for index, part in enumerate(parts):
            events += [("chunk", number, index, at) for at in range(0, len(part), 5)]
    shuffled = data.draw(st.permutations(events + events[: len(events) // 2]))
    messages = [large(k, *map(len, parts)) for k, parts in enumerate(bodies, 1)]
    due: list[int] = []

    for event in shuffled:
        if event[0] == "frame":
            due += [m.number for m in inbox.accept(event[1], (messages[event[1] - 1],))]
        else:
            _, number, index, at = event
            part = bodies[number - 1][index]
            due += put(inbox, number, index, at, part[at : at + 5], len(part))

    assert due == list(range(1, len(bodies) + 1))
    got = [[part.memory.tobytes() for part in message.body.parts] for message in messages]
    assert got == bodies


def test_who_handles_calls_is_told_when_the_other_side_is_to_hear_of_them() -> None:
    inbox = Inbound(Window(messages=4, bytes=1000), bytearray)

    first = inbox.handled(10)
    inbox.noted = True
    told = [inbox.handled(size) for size in (10, 10, 480)]

    assert first, "nothing was noted yet"
    assert told == [True, True, True], "half of four messages are settled"
    inbox.due_settled, inbox.due_bytes = 9, 1010
    assert [inbox.handled(size) for size in (499, 1)] == [False, True]


def test_of_a_packet_that_is_known_to_be_small_no_message_is_looked_at() -> None:
    inbox = inbound()
    messages = (call(1), call(2))

    assert inbox.accept(1, messages, small=True) is messages
    assert inbox.received == 2
