"""Who has died is started again: how often, and after how long."""

from __future__ import annotations

from bisect import bisect_left
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.supervision import Supervision

GAPS = st.lists(st.floats(0, 100), max_size=60)


def supervision(
    restart: str = "transient", max_restarts: int = 3, max_seconds: float = 60.0, seed: int = 0
) -> Supervision:
    return Supervision(restart, max_restarts, max_seconds, Random(seed))


@pytest.mark.parametrize(
    ("restart", "normal", "again"),
    [
        ("transient", False, True),
        ("transient", True, False),
        ("permanent", False, True),
        ("permanent", True, True),
        ("temporary", False, False),
        ("temporary", True, False),
    ],
)
def test_the_restart_word_says_after_which_end_it_begins_again(
    restart: str, normal: bool, again: bool
) -> None:
    actor = supervision(restart)

    delay = actor.died(0.0, normal=normal)

    assert (delay is not None) == again
    assert actor.restarts == int(again)
    assert actor.gave_up == ""


def test_one_death_too_many_is_given_up_and_stays_so() -> None:
    actor = supervision(max_restarts=3, max_seconds=60)

    delays = [actor.died(now) for now in (0.0, 1.0, 2.0, 3.0, 1000.0)]

    assert [delay is not None for delay in delays] == [True, True, True, False, False]
    assert actor.gave_up == "3 restarts in 60 s were not enough"
    assert actor.restarts == 3


@pytest.mark.parametrize(
    ("max_restarts", "why"),
    [(0, "max_restarts is 0"), (1, "1 restart in 0.5 s was not enough")],
)
def test_few_restarts_are_given_up_with_their_reason(max_restarts: int, why: str) -> None:
    actor = supervision(max_restarts=max_restarts, max_seconds=0.5)

    while actor.died(0.0) is not None:
        pass

    assert actor.gave_up == why


def test_deaths_that_lie_far_apart_are_never_given_up() -> None:
    actor = supervision(max_restarts=1, max_seconds=60)

    delays = [actor.died(61.0 * k) for k in range(100)]

    assert None not in delays
    assert actor.restarts == 100


def test_an_innocent_death_spends_no_restart_but_backs_off() -> None:
    actor = supervision(max_restarts=0)

    delays = [actor.died(0.1 * k, innocent=True) or 0.0 for k in range(20)]

    assert actor.gave_up == ""
    assert delays[-1] >= 5.0
    assert min(delays) >= 0.025


def test_the_back_off_doubles_up_to_its_end() -> None:
    rows = []
    for seed in range(200):
        actor = supervision(max_restarts=100, seed=seed)
        rows.append([actor.died(0.0) or 0.0 for _ in range(12)])

    usual = [median(column) for column in zip(*rows, strict=True)]

    expected = [min(10.0, 0.05 * 2**k) for k in range(12)]
    assert usual == pytest.approx(expected, rel=0.15)


def test_the_back_off_begins_anew_after_a_quiet_time() -> None:
    actor = supervision(max_restarts=100, max_seconds=60)
    for now in range(8):
        actor.died(float(now))

    delay = actor.died(67.0)

    assert delay is not None
    assert delay <= 0.075


def test_not_all_that_die_at_once_come_back_at_once() -> None:
    delays = {supervision(seed=seed).died(0.0) for seed in range(20)}

    assert len(delays) == 20


@given(GAPS, st.integers(0, 5), st.floats(0.1, 200), st.booleans())
def test_no_window_of_time_sees_more_restarts_than_allowed(
    gaps: list[float], max_restarts: int, max_seconds: float, permanent: bool
) -> None:
    word = "permanent" if permanent else "transient"
    actor, now, restarted = supervision(word, max_restarts, max_seconds), 0.0, list[float]()

    for gap in gaps:
        now += gap
        if actor.died(now) is not None:
            restarted.append(now)

    for k, begin in enumerate(restarted):
        assert bisect_left(restarted, begin + max_seconds) - k <= max_restarts
    assert actor.restarts == len(restarted)


@given(GAPS, st.integers(0, 2**32))
def test_every_delay_lies_within_its_bounds(gaps: list[float], seed: int) -> None:
    actor, now = supervision(max_restarts=1000, max_seconds=60, seed=seed), 0.0

    for gap in gaps:
        now += gap
        delay = actor.died(now)

        assert delay is not None
        assert 0.025 <= delay <= 15.0


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=40))
def test_only_deaths_of_ones_own_making_count_against_an_actor(
    deaths: list[tuple[float, bool]],
) -> None:
    both, guilty, now = supervision(), supervision(), 0.0

    for gap, innocent in deaths:
        now += gap
        if not innocent:
            both.died(now)
            guilty.died(now)
        elif not both.gave_up:
            assert both.died(now, innocent=True) is not None

        assert both.gave_up == guilty.gave_up
