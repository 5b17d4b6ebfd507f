"""The sending half holds back what the window does not hold, and keeps what may be lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import call
from tether.actors.message import OVERHEAD, Kind
from tether.actors.outbound import PACKET_BYTES, Outbound
from tether.actors.packet import Ack, Window


def outbound(messages: int = 64, nbytes: int = 64 << 20) -> Outbound:
    return Outbound(Window(messages, nbytes), None)


def leaving(out: Outbound) -> list[int]:
    return [message.number for message in out.take(0)[1]]


def test_no_more_calls_leave_than_the_window_holds() -> None:
    out = outbound(messages=2)
    for number in (1, 2, 3, 4):
        out.add(call(number))

    first = leaving(out)
    out.acknowledge(Ack(received=2, handled=1, bytes=OVERHEAD), 0)
    second = leaving(out)

    assert (first, second) == ([1, 2], [3])


def test_no_more_bytes_leave_than_the_window_holds() -> None:
    out = outbound(nbytes=1000)
    for number in (1, 2, 3):
        out.add(call(number, size=500 - OVERHEAD))

    assert leaving(out) == [1, 2]


def test_one_larger_than_the_window_leaves_alone() -> None:
    out = outbound(nbytes=1000)
    out.add(call(1, size=10))
    out.add(call(2, size=5000))
    out.add(call(3, size=10))

    first = leaving(out)
    out.acknowledge(Ack(1, 1, 10 + OVERHEAD), 0)
    second = leaving(out)
    out.acknowledge(Ack(2, 2, 5010 + 2 * OVERHEAD), 0)

    assert (first, second, leaving(out)) == ([1], [2], [3])


def test_answers_do_not_wait_for_room() -> None:
    out = outbound(messages=1)
    for number in (1, 2):
        out.add(call(number))
    out.add(call(3, kind=Kind.ANSWER))

    assert leaving(out) == [3, 1]
    assert out.books.sent == 2


def test_room_counts_what_waits_before() -> None:
    out = outbound(messages=2)
    empty = out.has_room(1)
    out.add(call(1))
    one = out.has_room(1)
    out.add(call(2))

    assert (empty, one, out.has_room(1)) == (True, True, False)


def test_a_call_that_waits_says_when_it_is_let_out() -> None:
    out = outbound(messages=1)
    said: list[int] = []
    for number in (1, 2):
        out.add(call(number, admitted=lambda number=number: said.append(number)))

    leaving(out)
    first = list(said)
    out.acknowledge(Ack(1, 1, OVERHEAD), 0)
    leaving(out)

    assert (first, said) == ([1], [1, 2])


def test_a_call_that_has_not_left_can_be_taken_back_and_is_booked() -> None:
    out = outbound(messages=1)
    for number in (1, 2):
        out.add(call(number))
    leaving(out)

    taken = out.withdraw(2), out.withdraw(1), out.withdraw(9)

    assert taken == (True, False, False)
    assert out.books.dropped == {"cancelled": 1}
    assert out.books.in_flight == 1


def test_what_was_taken_back_stays_booked_beside_the_receivers_losses() -> None:
    out = outbound(messages=1)
    for number in (1, 2):
        out.add(call(number))
    leaving(out)
    out.withdraw(2)

    out.acknowledge(Ack(1, 0, OVERHEAD, {"cancelled": 1}), 0)

    assert out.books.dropped == {"cancelled": 2}
    assert out.quiet


def test_what_is_sent_again_is_cut_in_packets_as_at_first() -> None:
    out = outbound()
    for number in range(6):
        out.add(call(number, size=PACKET_BYTES // 2))
    firsts = [out.take(0)[0] for _ in range(3)]

    out.lost()
    again = [out.take(0) for _ in range(4)]

    assert firsts == [1, 3, 5]
    assert [(first, len(messages)) for first, messages in again] == [(1, 2), (3, 2), (5, 2), (7, 0)]


def test_what_is_acknowledged_amid_sending_again_is_left_out() -> None:
    out = outbound()
    for number in range(1, 5):
        out.add(call(number, size=PACKET_BYTES))
    while leaving(out):
        pass

    out.lost()
    first = leaving(out)
    out.acknowledge(Ack(received=3), 0)

    assert (first, leaving(out)) == ([1], [4])


def test_new_calls_leave_after_those_that_are_sent_again() -> None:
    out = outbound()
    out.add(call(1))
    leaving(out)
    out.add(call(2))

    out.lost()

    assert [out.take(0)[0] for _ in range(2)] == [1, 2]


def test_what_a_dead_receiver_had_not_settled_is_unknown() -> None:
    out = outbound(messages=2)
    for number in (1, 2, 3):
        out.add(call(number))
    leaving(out)
    out.acknowledge(Ack(received=2, handled=1, bytes=OVERHEAD), 0)

    out.close()

    assert (out.books.handled, out.books.unknown, out.books.in_flight) == (1, 2, 0)
    assert (out.quiet, out.can_go, out.open) == (True, False, False)


def test_something_can_go_only_when_there_is_room() -> None:
    out = outbound(messages=1)
    before = out.can_go
    out.add(call(1))
    waiting = out.can_go
    leaving(out)
    out.add(call(2))

    assert (before, waiting, out.can_go) == (False, True, False)


def test_nothing_is_overdue_where_nothing_is_ever_lost() -> None:
    out = outbound()
    out.add(call(1))
    leaving(out)

    assert not out.overdue(1e9)


@given(st.lists(st.integers(0, 3000), max_size=40), st.integers(1, 6), st.integers(1, 2000))
def test_the_window_is_never_exceeded_and_everything_leaves_at_last(
    sizes: list[int], messages: int, nbytes: int
) -> None:
    out = outbound(messages, nbytes)
    for number, size in enumerate(sizes):
        out.add(call(number, size))
    left: list[int] = []
    settled = settled_bytes = 0

    while len(left) < len(sizes):
        taken = out.take(0)[1]
        left += [message.number for message in taken]
        held = [sizes[number] + OVERHEAD for number in left[settled:]]
        assert len(held) <= messages
        assert sum(held) <= nbytes or len(held) == 1
        settled, settled_bytes = settled + 1, settled_bytes + held[0]
        out.acknowledge(Ack(len(left), settled, settled_bytes), 0)

    assert left == list(range(len(sizes)))
