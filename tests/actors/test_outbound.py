"""The sending half holds back what the window does not hold, and keeps what may be lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import call
from tests.actors.pretend import Pretend
from tether.actors.journal import Row, Word
from tether.actors.ledger import Ledger
from tether.actors.message import OVERHEAD, Body, Kind, Message
from tether.actors.outbound import PACKET_BYTES, SMALL, Outbound, packetful
from tether.actors.packet import Ack, Window


def outbound(messages: int = 64, nbytes: int = 64 << 20, books: Ledger | None = None) -> Outbound:
    return Outbound(Window(messages, nbytes), None, books)


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


def test_what_is_offered_is_taken_only_where_there_is_room_now() -> None:
    out = outbound(messages=2, nbytes=1000)

    taken = [out.offer(call(number, size=400 - OVERHEAD)) for number in (1, 2, 3)]
    out.add(call(4))
    leaving(out)
    out.acknowledge(Ack(2, 2, 800), 0)

    assert taken == [True, True, False]
    assert leaving(out) == [4], "what was not taken is the caller's to hand in again"
    assert out.books.sent == 3


def test_the_row_tells_of_what_was_handed_in_once_a_turn() -> None:
    row: Row = [0] * len(Word)
    out = Outbound(Window(), None, row=row)
    for number in (1, 2):
        out.offer(call(number, size=6))

    before = row[Word.SENT], row[Word.BYTES]
    out.enter()

    assert (before, (row[Word.SENT], row[Word.BYTES])) == ((0, 0), (2, 2 * (6 + OVERHEAD)))


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ([], 0),
        ([PACKET_BYTES + 1, 1], 1),
        ([PACKET_BYTES - 1, 1, 1], 2),
        ([PACKET_BYTES // 2] * 3, 2),
        ([1] * 9, 9),
    ],
)
def test_a_packet_is_full_once_its_structure_is(sizes: list[int], count: int) -> None:
    assert packetful([call(number, size=size) for number, size in enumerate(sizes)]) == count


def test_what_was_taken_says_whether_all_of_it_is_small() -> None:
    out = outbound()
    found = []
    for size in (10, SMALL + 1, 10):
        out.add(call(1, size=size))
        out.take(0)
        found.append((out.small, out.taken))

    assert found == [(True, 10 + OVERHEAD), (False, SMALL + 1 + OVERHEAD), (True, 10 + OVERHEAD)]


def test_a_message_with_a_deadline_is_none_of_the_small_ones() -> None:
    out = outbound()
    message = call(1, size=10)
    message.deadline = 5.0
    out.add(message)

    out.take(0)

    assert not out.small


def test_answers_do_not_wait_for_room() -> None:
    out = outbound(messages=1)
    for number in (1, 2):
        out.add(call(number))
    out.add(call(3, kind=Kind.ANSWER))

    assert leaving(out) == [1, 3]
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

    out.retire(None, moved=1)

    assert (out.books.sent, out.books.handled, out.books.unknown) == (2, 1, 1)
    assert out.books.in_flight == 0
    assert (out.quiet, out.can_go, out.open) == (True, False, False)


def test_a_dead_receivers_last_acknowledgement_closes_the_books_exactly() -> None:
    out = outbound()
    for number in (1, 2, 3, 4):
        out.add(call(number))
    leaving(out)
    out.acknowledge(Ack(received=4, handled=1, bytes=OVERHEAD), 0)

    out.retire(Ack(0, 2, 3 * OVERHEAD, {"expired": 1}), moved=0)

    assert (out.books.handled, out.books.dropped, out.books.unknown) == (2, {"expired": 1}, 1)
    assert out.row[Word.SENT] == 4


@pytest.mark.parametrize("settled", [0, 9])
def test_a_last_acknowledgement_that_cannot_be_is_left_aside(settled: int) -> None:
    out = outbound()
    for number in (1, 2):
        out.add(call(number))
    leaving(out)
    out.acknowledge(Ack(received=2, handled=1, bytes=OVERHEAD), 0)

    out.retire(Ack(0, settled), moved=0)

    assert (out.books.handled, out.books.unknown) == (1, 1)


def test_what_moves_to_the_next_incarnation_was_not_sent_to_the_dead_one() -> None:
    books = Ledger()
    old, new = outbound(books=books), outbound(books=books)
    for number in (1, 2, 3):
        old.add(call(number))
    leaving(old)

    old.retire(None, moved=2)
    for number in (2, 3):
        new.add(call(number))
    new.enter()

    assert (old.row[Word.SENT], new.row[Word.SENT], books.sent) == (1, 2, 3)
    assert (books.unknown, books.in_flight) == (1, 2)


def test_what_waits_for_one_who_will_not_come_back_is_dropped_as_absent() -> None:
    out = outbound(messages=1)
    for number in (1, 2, 3):
        out.add(call(number))
    leaving(out)

    out.abandon(None)

    assert (out.books.dropped, out.books.unknown, out.books.in_flight) == ({"absent": 2}, 1, 0)
    assert (out.row[Word.SENT], out.row[Word.ABANDONED]) == (3, 2)
    assert out.quiet


def test_rows_count_what_was_sent_and_taken_back_and_its_bytes() -> None:
    out = outbound(messages=1)
    for number in (1, 2):
        out.add(call(number, size=36))
    out.add(call(9, size=6, kind=Kind.ANSWER))
    leaving(out)

    out.withdraw(2)

    assert (out.row[Word.SENT], out.row[Word.WITHDRAWN], out.row[Word.BYTES]) == (2, 1, 270)
    assert out.books.bytes == 270


def test_answers_and_calls_that_wait_can_be_looked_at() -> None:
    out = outbound(messages=1)
    for number in (1, 2, 3):
        out.add(call(number))
    leaving(out)
    out.add(call(4, kind=Kind.ANSWER))

    assert [message.number for message in out.waiting] == [2, 3]
    assert [message.number for message in out.answers] == [4]
    assert out.held == 2


def test_a_half_that_has_come_to_rest_begins_anew_and_shares_nothing() -> None:
    out, other = outbound(messages=1), outbound(messages=1)

    for number in (1, 2, 3):
        out.add(call(number))
        out.add(call(10 + number, kind=Kind.ANSWER))
        assert leaving(out) == [number, 10 + number]
        out.acknowledge(Ack(2 * number, number, number * OVERHEAD), 0)
        assert (out.open, out.quiet, out.held) == (False, True, 0)

    out.add(call(4))
    assert (out.held, other.held) == (1, 0)
    assert leaving(other) == []


def test_what_is_acknowledged_in_pieces_is_kept_in_pieces() -> None:
    out = outbound()
    for number in range(1, 6):
        out.add(call(number))
    leaving(out)

    out.acknowledge(Ack(received=2), 0)
    out.add(call(6))
    leaving(out)
    out.acknowledge(Ack(received=3), 0)
    out.acknowledge(Ack(received=1), 0)
    out.lost()

    assert leaving(out) == [4, 5, 6]


def test_the_same_acknowledgement_again_books_nothing() -> None:
    out = outbound()
    for number in (1, 2):
        out.add(call(number))
    leaving(out)
    ack = Ack(2, 1, 2 * OVERHEAD, {"expired": 1})

    for _ in range(2):
        out.acknowledge(ack, 0)

    assert (out.books.handled, out.books.dropped) == (1, {"expired": 1})


class Receivers:
    """The incarnations of a receiver one after the other, and what they really did."""

    def __init__(self) -> None:
        self.books = Ledger()
        self.rows: list[Row] = []
        self.added = self.handled = self.withdrawn = 0
        self.begin()

    def begin(self) -> None:
        self.out = outbound(3, books=self.books)
        self.rows.append(self.out.row)
        self.received = self.settled = 0

    @property
    def ack(self) -> Ack:
        return Ack(self.received, self.settled, self.settled * OVERHEAD)

    def add(self) -> None:
        self.added += 1
        self.out.add(call(self.added))

    def leave(self) -> None:
        self.received += len(leaving(self.out))

    def settle(self) -> None:
        if self.settled < self.received:
            self.settled += 1
            self.handled += 1

    def acknowledge(self) -> None:
        self.out.acknowledge(self.ack, 0)

    def withdraw(self) -> None:
        if self.out.waiting:
            self.withdrawn += self.out.withdraw(self.out.waiting[-1].number)

    def die(self, *, known: bool = True) -> None:
        waiting = self.out.waiting
        self.out.retire(self.ack if known else None, len(waiting))
        self.begin()
        for message in waiting:
            self.out.add(message)

    def die_with_the_journal(self) -> None:
        self.die(known=False)

    def do_all(self) -> None:
        while not self.out.quiet:
            self.leave()
            self.settle()
            self.acknowledge()


events = ("add", "leave", "settle", "acknowledge", "withdraw", "die", "die_with_the_journal")


@given(st.lists(st.sampled_from(events), max_size=60), st.booleans())
def test_the_books_of_all_incarnations_of_a_receiver_close(events: list[str], last: bool) -> None:
    receivers = Receivers()
    books = receivers.books

    for event in events:
        getattr(receivers, event)()
        assert books.sent == receivers.added
        assert books.in_flight >= 0
    if last:
        receivers.out.abandon(receivers.ack)
    else:
        receivers.do_all()

    assert books.in_flight == 0
    assert books.handled <= receivers.handled
    assert books.handled == receivers.handled or "die_with_the_journal" in events
    assert books.dropped["cancelled"] == receivers.withdrawn
    assert receivers.added == books.handled + books.dropped.total() + books.unknown
    assert receivers.added == sum(row[Word.SENT] for row in receivers.rows)
    assert receivers.withdrawn == sum(row[Word.WITHDRAWN] for row in receivers.rows)


def test_what_waits_for_a_gpu_is_no_small_packet(gpu: Pretend) -> None:
    out = Outbound(Window(), None)
    waits, plain = Body(b"x"), Body(b"x")
    waits.fences = (gpu.fence(""),)
    sizes = []
    for body in (waits, plain):
        out.add(Message(Kind.ANSWER, 1, "", body))
        out.take(0.0)
        sizes.append(out.small)

    assert sizes == [False, True]
