"""What the sides of a link say has fixed meanings and default bounds."""

from __future__ import annotations

from tether.actors.packet import NONE_DROPPED, Ack, Pair, Window


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
