"""A run begins with nothing, and ends with what became of it."""

from __future__ import annotations

from tether.runners.result import Result, Start


def test_a_run_that_is_not_resumed_starts_at_zero() -> None:
    start = Start()

    assert (start.incarnations, start.restore, start.round, start.seconds) == ({}, {}, 0, 0.0)
    assert start.alone == ()


def test_results_do_not_share_what_they_collect() -> None:
    first, second = Result("finished"), Result("finished")

    first.problems.append("the disk is full")

    assert second.problems == []
