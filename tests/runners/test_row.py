"""What is known of an actor follows what is told of it, in whatever order it comes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.row import Health, Life, Rate, Row


def running(actor: str = "worker/0") -> Row:
    row = Row(actor)
    row.begin("running")
    return row


def test_a_loss_is_smoothed_and_comes_back_from_not_being_a_number() -> None:
    row = Row("worker/0")

    for loss in (1.0, 2.0, math.nan, 0.5):
        row.take(0.0, 1, {"loss": loss})

    assert row.loss == 0.5


def test_a_smoothed_loss_moves_a_tenth_of_the_way() -> None:
    row = Row("worker/0")

    row.take(0.0, 1, {"loss": 1.0})
    row.take(0.0, 2, {"loss": 2.0})

    assert row.loss == pytest.approx(1.1)


def test_a_total_that_shrinks_is_a_fresh_start() -> None:
    rate = Rate()

    for t, total in ((0.0, 100.0), (1.0, 200.0), (2.0, 0.0), (3.0, 5.0)):
        rate.add(t, total)

    assert rate.per_second == 5.0


def test_a_rate_forgets_what_is_older_than_ten_seconds() -> None:
    rate = Rate()

    for t in range(30):
        rate.add(float(t), 100.0 * min(t, 15))

    assert rate.per_second == 0.0


@given(st.integers(1, 1000), st.lists(st.integers(1, 10), min_size=2, max_size=50))
def test_a_steady_growth_is_its_rate(growth: int, pauses: list[int]) -> None:
    rate, t = Rate(), 0

    for pause in pauses:
        t += pause
        rate.add(float(t), float(growth * t))

    assert rate.per_second == growth


def test_an_actor_is_starting_until_it_has_started() -> None:
    row = Row("worker/0")

    before = row.state(0.0)
    row.begin("running")

    assert (before, row.state(0.0)) == ("starting", "running")


def test_a_restart_is_counted_down() -> None:
    row = Row("worker/0")
    row.begin("restarting")
    row.since = 10.0

    assert [row.state(t) for t in (7.6, 9.4, 9.6, 12.0)] == [
        "restarting in 2 s",
        "restarting in 1 s",
        "restarting",
        "restarting",
    ]


def test_silence_is_counted_from_when_it_was_first_seen() -> None:
    row = running()

    first = row.fall_ill("unreachable", "silent for 5 s", 10.0)
    again = row.fall_ill("unreachable", "silent for 6 s", 11.0)

    assert (first, again) == (True, False)
    assert row.state(22.0) == "unreachable 12 s"


@pytest.mark.parametrize(
    ("why", "state"),
    [
        ("center/0: Center.block has held the event loop for 31.0 s, at p.py:7", "Center.block"),
        ("other/1: Other.wait has held the event loop for 31.0 s", "other/1: Other.wait"),
        ("no beat for 31 s", "no beat for 31 s"),
    ],
)
def test_what_hangs_is_named_in_short(why: str, state: str) -> None:
    row = running("center/0")

    row.fall_ill("hung", why, 0.0)

    assert row.state(1.0) == f"hung: {state}"


def test_who_hangs_for_no_known_reason_just_hangs() -> None:
    row = running()

    row.fall_ill("hung", "", 0.0)

    assert row.state(1.0) == "hung"


def test_slowness_is_shown_with_its_measure() -> None:
    row = running()

    row.fall_ill("slow", "no step for 43 s, usually 0.2 s", 0.0)

    assert row.state(1.0) == "slow: no step for 43 s, usually 0.2 s"


@pytest.mark.parametrize(
    ("health", "after"), [("hung", "running"), ("slow", "running"), ("unreachable", "unreachable")]
)
def test_a_report_proves_that_a_loop_goes_on_but_may_have_been_on_its_way(
    health: Health, after: str
) -> None:
    row = running()
    row.fall_ill(health, "", 0.0)

    row.take(1.0, 5, {})

    assert row.kind == after


def test_an_actor_whose_run_has_ended_can_still_be_unreachable() -> None:
    row = running()
    row.end()

    row.fall_ill("unreachable", "", 0.0)
    ill = row.kind
    row.health = "well"

    assert (ill, row.kind) == ("unreachable", "ended")


@pytest.mark.parametrize("life", ["restarting", "given up", "left"])
def test_nobody_who_is_gone_is_ill(life: Life) -> None:
    row = running()
    row.queue(5, 2)
    row.begin(life)

    row.fall_ill("unreachable", "", 0.0)

    assert row.kind == life
    assert (row.waiting, row.held, row.longest, row.longest_held) == (0, 0, 5, 2)


@pytest.mark.parametrize(
    ("life", "after"),
    [
        ("running", "ended"),
        ("restarting", "ended"),
        ("given up", "given up"),
        ("left", "left"),
    ],
)
def test_the_end_of_a_run_hides_no_worse_news(life: Life, after: str) -> None:
    row = Row("worker/0")
    row.begin(life)

    row.end()

    assert row.kind == after


def test_the_longest_queues_are_remembered() -> None:
    row = running()

    for waiting, held in ((3, 0), (31, 2), (0, 1)):
        row.queue(waiting, held)

    assert (row.waiting, row.held, row.longest, row.longest_held) == (0, 1, 31, 2)
