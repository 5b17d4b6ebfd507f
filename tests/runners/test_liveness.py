"""A silent process is told from a stuck one, and neither from an observer who did not look."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.liveness import LATE, Liveness, State

BEAT, UNREACHABLE, HUNG = 1.0, 5.0, 30.0
STALL = "center/0: Center.block has held the event loop for 30.0 s"


@pytest.fixture
def liveness() -> Liveness:
    return Liveness(BEAT, UNREACHABLE, HUNG)


def looks(
    liveness: Liveness, first: int, last: int, process: float | None, loop: float | None
) -> dict[float, str]:
    """Look once a second; a beat of None goes on. Return what became another than before."""
    seen: dict[float, str] = {}
    for now in map(float, range(first, last)):
        beats = (now if process is None else process, now if loop is None else loop)
        state = liveness.change(now, *beats, STALL)
        if state is not None:
            seen[now] = state.kind
    return seen


def test_a_process_that_beats_is_alive(liveness: Liveness) -> None:
    changes = looks(liveness, 100, 200, None, None)

    assert changes == {}
    assert liveness.state == State("alive")


def test_a_process_is_unreachable_after_its_time_and_alive_again_at_its_next_beat(
    liveness: Liveness,
) -> None:
    looks(liveness, 100, 110, None, None)

    silent = looks(liveness, 110, 130, 109.0, 109.0)
    since = liveness.state.since
    again = looks(liveness, 130, 160, None, None)

    assert silent == {114.0: "unreachable"}
    assert since == 109.0
    assert again == {130.0: "alive"}


def test_a_process_whose_loop_alone_is_silent_is_hung_and_says_what_holds_it(
    liveness: Liveness,
) -> None:
    looks(liveness, 100, 110, None, None)

    stuck = looks(liveness, 110, 160, None, 109.0)
    state = liveness.state
    again = looks(liveness, 160, 200, None, None)

    assert stuck == {139.0: "hung"}
    assert state == State("hung", 109.0, STALL)
    assert again == {160.0: "alive"}


def test_a_process_that_was_stopped_is_not_hung_when_it_goes_on(liveness: Liveness) -> None:
    looks(liveness, 100, 110, None, None)

    stopped = looks(liveness, 110, 150, 109.0, 109.0)
    again = looks(liveness, 150, 152, None, 109.0)
    after = looks(liveness, 152, 200, None, None)

    assert [*stopped.values(), *again.values()] == ["unreachable", "alive"]
    assert after == {}


def test_a_hung_process_that_falls_silent_is_unreachable_and_then_hung_again(
    liveness: Liveness,
) -> None:
    looks(liveness, 100, 150, None, 100.0)

    silent = looks(liveness, 150, 160, 149.0, 100.0)
    again = looks(liveness, 160, 165, None, 100.0)

    assert silent == {154.0: "unreachable"}
    assert again == {160.0: "hung"}


def test_a_process_that_has_not_begun_to_beat_is_left_alone(liveness: Liveness) -> None:
    changes = looks(liveness, 0, 300, 0.0, 0.0)

    assert changes == {}


def test_a_pause_of_the_observer_is_blamed_on_nobody(liveness: Liveness) -> None:
    looks(liveness, 100, 110, None, None)

    paused = liveness.change(500.0, 109.0, 109.0)
    soon = liveness.change(501.0, 109.5, 109.0)
    after = looks(liveness, 502, 520, None, None)

    assert (paused, soon, after) == (None, None, {})


def test_silence_that_goes_on_after_a_pause_of_the_observer_is_found(liveness: Liveness) -> None:
    looks(liveness, 100, 110, None, None)

    paused = looks(liveness, 500, 520, 109.0, 109.0)

    assert paused == {505.0: "unreachable"}


def test_an_observer_that_always_looks_late_still_finds_silence(liveness: Liveness) -> None:
    states = [liveness.observe(100 + 7.0 * k, 99.0, 99.0).kind for k in range(6)]

    assert states[:2] == ["alive", "alive"]
    assert states[-1] == "unreachable"


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=50))
def test_who_beats_before_every_look_is_never_suspected(gaps: list[float]) -> None:
    liveness, now = Liveness(BEAT, UNREACHABLE, HUNG), 10.0

    for gap in gaps:
        now += gap
        state = liveness.observe(now, now - 0.009, now - 0.009)

        assert state == State("alive")


@given(st.integers(0, 40), st.floats(LATE * BEAT + 0.01, 1e6), st.booleans())
def test_no_look_after_a_pause_finds_anybody_newly_silent_or_stuck(
    steady: int, pause: float, process_beats: bool
) -> None:
    liveness, now = Liveness(BEAT, UNREACHABLE, HUNG), 100.0
    for _ in range(steady + 1):
        now += BEAT
        liveness.observe(now, now if process_beats else 1.0, 1.0)
    before = liveness.state.kind

    now += pause
    after = liveness.observe(now, now if process_beats else 1.0, 1.0).kind

    assert after == before


@given(st.lists(st.tuples(st.floats(0.1, 2.9), st.booleans(), st.booleans()), max_size=80))
def test_changes_are_told_once_and_lead_to_the_state(
    seen: list[tuple[float, bool, bool]],
) -> None:
    told, plain, now = Liveness(1.0, 3.0, 6.0), Liveness(1.0, 3.0, 6.0), 1.0
    process, loop, kind = 1.0, 1.0, "alive"

    for gap, process_beats, loop_beats in seen:
        now += gap
        process = now if process_beats else process
        loop = now if loop_beats and process_beats else loop
        state = plain.observe(now, process, loop)
        change = told.change(now, process, loop)

        assert (change is not None) == (state.kind != kind)
        assert change is None or change == state
        kind = state.kind


@given(st.lists(st.tuples(st.floats(0.1, 0.9), st.booleans()), max_size=80))
def test_nobody_is_unreachable_before_its_time(seen: list[tuple[float, bool]]) -> None:
    liveness, now, beat = Liveness(1.0, 3.0, 6.0), 1.0, 1.0

    for gap, beats in seen:
        now += gap
        beat = now if beats else beat
        state = liveness.observe(now, beat, beat)

        assert state.kind == "alive" or now - beat >= 3.0 - 1e-9
