"""Errors tell what became of a call."""

from __future__ import annotations

from tether.actors.errors import QuorumMissed


def test_a_missed_quorum_holds_what_came() -> None:
    error = QuorumMissed("2 of 3 answered", [1, 2], ["a", "b"], {"c": "late"})

    assert str(error) == "2 of 3 answered"
    assert (error.answers, error.members, error.missing) == ([1, 2], ["a", "b"], {"c": "late"})


def test_a_missed_quorum_may_be_empty() -> None:
    error = QuorumMissed("0 of 3 answered")

    assert (error.answers, error.members, error.missing) == ([], [], {})
