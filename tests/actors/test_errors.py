"""Errors tell what became of a call."""

from __future__ import annotations

from tether.actors.errors import ActorGone, QuorumMissed


def test_a_missed_quorum_holds_what_came() -> None:
    error = QuorumMissed("2 of 3 answered", [1, 2], ["a", "b"], {"c": "late"})

    assert str(error) == "2 of 3 answered"
    assert (error.answers, error.members, error.missing) == ([1, 2], ["a", "b"], {"c": "late"})


def test_a_missed_quorum_may_be_empty() -> None:
    error = QuorumMissed("0 of 3 answered")

    assert (error.answers, error.members, error.missing) == ([], [], {})


def test_who_is_gone_is_named() -> None:
    error = ActorGone("center/0 is gone: killed by signal 9", "center/0")

    assert str(error) == "center/0 is gone: killed by signal 9"
    assert error.actor == "center/0"


def test_nobody_in_particular_may_be_gone() -> None:
    assert (str(ActorGone()), ActorGone("all are gone").actor) == ("", "")
