"""What the sides of a link say has fixed meanings and default bounds."""

from __future__ import annotations

from tests.actors.conftest import call
from tether.actors.packet import NONE_DROPPED, Ack, Packet, Pair, Window, made_ack, made_packet


def test_a_window_holds_64_messages_and_64_mebibytes() -> None:
    assert Window() == Window(messages=64, bytes=67_108_864)


def test_settled_calls_are_those_handled_and_dropped() -> None:
    assert Ack(received=9, handled=5).settled == 5
    assert Ack(received=9, handled=5, dropped={"expired": 2, "cycle": 1}).settled == 8


def test_a_pair_turned_is_what_its_other_end_sees() -> None:
    pair = Pair("worker/0", "center/0", 3, 1)

    assert pair.turned == Pair("center/0", "worker/0", 1, 3)
    assert pair.turned.turned == pair


def test_an_acknowledgement_of_nothing_has_no_loss() -> None:
    assert Ack() == Ack(0, 0, 0, {})
    assert Ack().dropped is NONE_DROPPED


def test_the_structure_of_a_packet_is_its_size_or_what_its_messages_hold() -> None:
    messages = (call(1, size=5), call(2, size=7))

    assert Packet(1, messages, Ack(), 99, small=True).structure == 99
    assert Packet(1, messages, Ack()).structure == 12


def test_packets_and_acknowledgements_made_of_fields_are_as_any_other() -> None:
    ack = made_ack((4, 3, 80, {"expired": 1}))

    assert (ack, ack.settled, type(ack)) == (Ack(4, 3, 80, {"expired": 1}), 4, Ack)
    assert made_packet((1, (), ack, 0, False)) == Packet(1, (), ack)
