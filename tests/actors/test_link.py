"""A link delivers once and in order, whatever the network does with its packets."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import call
from tether.actors.journal import WORDS, Word
from tether.actors.ledger import Ledger
from tether.actors.link import Link
from tether.actors.message import Kind, Message
from tether.actors.packet import Ack, Packet, Pair, Window


def link(window: Window | None = None, resend_after: float | None = None) -> Link:
    return Link(lambda n: np.empty(n, np.uint8), window, resend_after)


def test_a_link_knows_both_its_ends() -> None:
    pair = Pair("worker/0", "center/0", 2, 1)
    row, books = [0] * WORDS, Ledger()

    made = Link(bytearray, pair=pair, books=books, row=row)
    made.out.add(call(1))
    made.out.enter()
    made.inward.start(5)

    assert (made.pair, made.local, made.remote) == (pair, "worker/0", "center/0")
    assert (books.sent, row[Word.SENT], row[Word.STARTED]) == (1, 1, 5)


def test_a_link_joins_two_incarnations() -> None:
    made = Link(bytearray, pair=Pair("worker/0", "center/0", 2, 1))

    assert made.turned == Pair("center/0", "worker/0", 1, 2)


def numbers(messages: Sequence[Message]) -> list[int]:
    return [message.number for message in messages]


def pulled(side: Link, now: float = 0.0) -> Packet:
    packet = side.pull(now)
    assert packet is not None
    return packet


def test_messages_are_numbered_from_one_and_leave_together() -> None:
    a = link()
    for number in (10, 11, 12):
        a.out.add(call(number))

    packet = pulled(a)

    assert packet.first == 1
    assert numbers(list(packet.messages)) == [10, 11, 12]
    assert a.pull(0) is None


def test_what_is_received_and_handled_is_acknowledged_with_its_bytes() -> None:
    a, b = link(), link()
    a.out.add(call(1, size=36))
    a.out.add(call(2, size=36))

    due = b.push(pulled(a), 0)
    b.inward.settle(due[0])
    b.inward.settle(due[1], "expired")
    packet = pulled(b)

    assert packet.ack == Ack(received=2, handled=1, bytes=200, dropped={"expired": 1})
    assert packet.messages == ()
    a.push(packet, 0)
    assert a.out.books.plain() == {
        "sent": 2, "handled": 1, "dropped": {"expired": 1}, "unknown": 0, "in_flight": 0,
        "bytes": 200, "late": 0,
    }  # fmt: skip


def test_packets_out_of_order_are_delivered_in_order() -> None:
    a, b = link(), link()
    packets = []
    for number in (1, 2, 3):
        a.out.add(call(number))
        packets.append(pulled(a))

    due = [numbers(b.push(packets[k], 0)) for k in (2, 1, 0)]

    assert due == [[], [], [1, 2, 3]]


def test_a_packet_that_comes_twice_is_delivered_once_and_acknowledged_again() -> None:
    a, b = link(), link()
    a.out.add(call(1))
    packet = pulled(a)
    first = numbers(b.push(packet, 0))
    acknowledged = pulled(b).ack

    second = numbers(b.push(packet, 0))

    assert (first, second) == ([1], [])
    assert pulled(b).ack == acknowledged


def test_a_lost_packet_is_sent_again_when_it_is_overdue() -> None:
    a, b = link(resend_after=1.0), link()
    a.out.add(call(7))
    pulled(a, now=10.0)

    early = a.resend_if_overdue(10.9)
    late = a.resend_if_overdue(11.0)

    assert (early, late) == (False, True)
    assert numbers(b.push(pulled(a, 11.0), 11.0)) == [7]
    assert not a.resend_if_overdue(11.5)


def test_a_lost_acknowledgement_of_what_was_handled_is_asked_for() -> None:
    a, b = link(resend_after=1.0), link()
    a.out.add(call(1))
    due = b.push(pulled(a), 0)
    a.push(pulled(b), 0)
    b.inward.settle(due[0])
    pulled(b)  # and lost

    overdue = a.resend_if_overdue(1.0)
    probe = pulled(a, 1.0)
    b.push(probe, 1.0)
    a.push(pulled(b), 1.0)

    assert overdue
    assert (probe.first, probe.messages) == (0, ())
    assert a.out.books.in_flight == 0
    assert not a.resend_if_overdue(9.0)


def test_a_renewed_connection_repeats_what_was_not_acknowledged_in_either_direction() -> None:
    a, b = link(), link()
    a.out.add(call(1))
    b.push(pulled(a), 0)
    pulled(b)  # lost with the connection
    a.out.add(call(2))
    pulled(a)  # lost too

    a.lost()
    b.lost()
    again = pulled(a)
    due = b.push(again, 0)

    assert numbers(list(again.messages)) == [1, 2]
    assert numbers(due) == [2]
    assert pulled(b).ack.received == 2


def test_an_acknowledgement_is_due_when_half_a_window_is_settled() -> None:
    a, b = link(Window(messages=4)), link(Window(messages=4))
    for number in range(4):
        a.out.add(call(number))
    due = b.push(pulled(a), 0)
    pulled(b)

    b.inward.settle(due[0])
    one = b.inward.ack_is_due
    b.inward.settle(due[1])

    assert (one, b.inward.ack_is_due) == (False, True)


def test_an_acknowledgement_is_due_when_half_the_bytes_are_settled() -> None:
    window = Window(bytes=1000)
    a, b = link(window), link(window)
    a.out.add(call(1, size=500))
    due = b.push(pulled(a), 0)
    pulled(b)

    b.inward.settle(due[0])

    assert b.inward.ack_is_due


def test_what_was_never_sent_cannot_be_acknowledged() -> None:
    a = link()
    a.out.add(call(1))
    pulled(a)

    with pytest.raises(ValueError, match=r"up to 2 and 0 calls are acknowledged, but 1 and 1 were"):
        a.push(Packet(1, (), Ack(received=2)), 0)
    with pytest.raises(ValueError, match=r"up to 1 and 2 calls are acknowledged, but 1 and 1 were"):
        a.push(Packet(1, (), Ack(received=1, handled=2)), 0)


def test_an_older_acknowledgement_takes_nothing_back() -> None:
    a = link()
    for number in (1, 2):
        a.out.add(call(number))
    pulled(a)

    a.push(Packet(1, (), Ack(received=2, handled=2, bytes=128)), 0)
    a.push(Packet(1, (), Ack(received=1, handled=1, bytes=64)), 0)

    assert a.out.books.handled == 2
    assert a.pull(0) is None


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(0, 300), max_size=60),
    messages=st.integers(1, 8),
    nbytes=st.integers(1, 1500),
)
def test_no_loss_no_double_no_disorder_and_never_more_than_the_window(
    seed: int, sizes: list[int], messages: int, nbytes: int
) -> None:
    random, window = Random(seed), Window(messages, nbytes)
    a, b = link(window, 1.0), link(window, 1.0)
    for number, size in enumerate(sizes):
        a.out.add(call(number, size, Kind.ASK))
    air: list[tuple[Link, Packet]] = []
    inbox: list[Message] = []
    handled: list[int] = []
    now = 0.0

    for _ in range(100_000):
        if a.out.quiet and not air:
            break
        now += 0.1
        for side, other in ((a, b), (b, a)):
            side.resend_if_overdue(now)
            while (packet := side.pull(now)) is not None:
                air += [(other, packet)] * random.choice((0, 1, 1, 2))
        if air:
            side, packet = air.pop(random.randrange(len(air)))
            due = side.push(packet, now)
            inbox += due if side is b else []
        held = sum(message.body.size for message in inbox)
        assert len(inbox) <= messages
        assert held <= nbytes or len(inbox) == 1
        if inbox and random.random() < 0.5:
            handled.append(inbox[0].number)
            b.inward.settle(inbox.pop(0))

    assert handled == list(range(len(sizes)))
    assert a.out.books.handled == a.out.books.sent == len(sizes)
    assert a.out.books.in_flight == 0
