"""A slow step is told from the actor's usual ones."""

from __future__ import annotations

import pytest

from tether.runners.pace import Pace, duration, slow


def test_an_actor_is_slow_when_a_step_takes_much_longer_than_usual() -> None:
    pace = Pace()
    for step in range(20):
        pace.reported(0.2 * step, step)

    assert pace.slow(0.2 * 19 + 4.9) == ""
    assert pace.slow(0.2 * 19 + 43) == "no step for 43 s, usually 0.2 s"


def test_an_actor_whose_steps_are_long_is_not_slow_for_that() -> None:
    pace = Pace()
    for step in range(5):
        pace.reported(30.0 * step, step)

    assert pace.slow(120.0 + 290) == ""
    assert pace.slow(120.0 + 310) == "no step for 310 s, usually 30 s"


def test_steps_reported_rarely_count_as_many() -> None:
    pace = Pace()
    for step in range(0, 500, 100):
        pace.reported(0.1 * step, step)

    assert pace.slow(40.0 + 60) == "no step for 60 s, usually 0.1 s"


def test_an_actor_of_which_nothing_is_usual_is_never_slow() -> None:
    pace = Pace()
    pace.reported(0.0, 7)

    assert pace.slow(1e6) == ""


def test_steps_that_go_back_or_stand_still_are_no_step_times() -> None:
    pace = Pace()
    for now, step in [(0.0, 10), (1.0, 11), (50.0, 3), (51.0, 4), (52.0, 4)]:
        pace.reported(now, step)

    assert pace.slow(51.0 + 12) == "no step for 12 s, usually 1.0 s"


def test_a_usual_step_time_is_that_of_late() -> None:
    pace, now = Pace(), 0.0
    for step in range(100):
        now += 10.0 if step < 50 else 0.5
        pace.reported(now, step)

    assert pace.slow(now + 6) == "no step for 6.0 s, usually 0.5 s"


def test_what_is_as_usual_is_not_slow() -> None:
    assert slow(1.0, 1.0) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "4.0 ms"), (0.0999, "0.1 s"), (0.2, "0.2 s"), (9.96, "10 s"), (123.4, "123 s")],
)
def test_seconds_are_given_in_digits_people_read(seconds: float, text: str) -> None:
    assert duration(seconds) == text
