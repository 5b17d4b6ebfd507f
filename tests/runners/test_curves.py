"""What is drawn is what was reported: averages do not lag, and a rate keeps every count."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.curves import of, rate, smooth, table_of, thin, undone_left_out
from tether.runners.metrics import Curve

finite = st.floats(-1e6, 1e6)


def counter(points: Sequence[tuple[float, float]]) -> Curve:
    t, value = (array("d", column) for column in zip(*points, strict=True))
    return Curve(t, t, value)


def test_curves_of_a_metric_come_in_the_natural_order_of_actors() -> None:
    curve = counter([(0.0, 0.0)])
    found = {(f"worker/{k}", "loss"): curve for k in (10, 2)} | {("center", "norm"): curve}

    assert list(of(found, "loss")) == ["worker/2", "worker/10"]


def test_the_table_of_an_actor_is_its_name_without_the_index() -> None:
    assert table_of("worker/10") == "worker"
    assert table_of("center") == "center"


@given(finite, st.integers(1, 50), st.floats(1, 100))
def test_a_constant_is_its_own_average(value: float, count: int, span: float) -> None:
    assert list(smooth([value] * count, span)) == pytest.approx([value] * count)


@given(st.lists(finite, min_size=1), st.floats(1, 100))
def test_averages_stay_within_the_values(values: list[float], span: float) -> None:
    smoothed = smooth(values, span)

    assert min(values) - 1e-6 <= min(smoothed)
    assert max(smoothed) <= max(values) + 1e-6


def test_a_span_of_one_changes_nothing() -> None:
    assert list(smooth([3.0, 1.0, 2.0], 1)) == [3.0, 1.0, 2.0]


def test_a_value_that_is_no_number_leaves_a_gap_of_one() -> None:
    smoothed = smooth([1.0, math.nan, 5.0], 10)

    assert [smoothed[0], smoothed[2]] == [1.0, 5.0]
    assert math.isnan(smoothed[1])


@given(st.lists(finite, min_size=1, max_size=300), st.integers(1, 50))
def test_thinned_values_are_few_and_keep_both_ends(values: list[float], most: int) -> None:
    thinned = thin(values, most)

    assert len(thinned) <= most + 1
    assert thinned[-1] == values[-1]
    assert most == 1 or thinned[0] == values[0]


def test_a_steady_counter_has_a_steady_rate() -> None:
    middles, grown = rate([counter([(1.0, 10.0), (2.0, 20.0)])], bins=2)

    assert list(middles) == [0.5, 1.5]
    assert list(grown) == [10.0, 10.0]


def test_counters_are_added_up() -> None:
    one, other = counter([(1.0, 10.0), (2.0, 20.0)]), counter([(2.0, 8.0)])

    _, grown = rate([one, other], bins=2)

    assert list(grown) == [14.0, 14.0]


def test_a_counter_that_falls_was_started_afresh() -> None:
    _, grown = rate([counter([(1.0, 10.0), (2.0, 4.0)])], bins=2)

    assert list(grown) == [10.0, 4.0]


def test_a_counter_that_went_back_to_a_checkpoint_counts_from_there() -> None:
    points = [(1.0, 100.0), (2.0, 200.0), (3.0, 110.0), (4.0, 120.0)]

    _, grown = rate([counter(points)], bins=4)

    assert list(grown) == [100.0, 100.0, 10.0, 10.0]


def test_a_counter_without_a_number_is_passed_over() -> None:
    _, grown = rate([counter([(1.0, 10.0), (1.5, math.nan), (2.0, 20.0)])], bins=2)

    assert list(grown) == [10.0, 10.0]


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=5))
def test_no_growth_is_negative_however_often_a_counter_falls(lives: list[list[int]]) -> None:
    counts = [float(sum(life[: k + 1])) for life in lives for k in range(len(life))]
    points = [(float(t), count) for t, count in enumerate(counts, 1)]

    _, grown = rate([counter(points)])

    assert min(grown) >= 0


def test_no_counter_has_a_rate_of_nothing() -> None:
    assert [list(axis) for axis in rate([])] == [[0.5], [0.0]]


def test_what_is_counted_at_the_very_start_is_not_lost() -> None:
    middles, grown = rate([counter([(0.0, 7.0)])])

    assert [list(middles), list(grown)] == [[0.5], [7.0]]


points = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 100)), min_size=1, max_size=30
).map(
    lambda steps: [
        (t / 10, float(sum(n for _, n in steps[: k + 1]))) for k, (t, _) in enumerate(sorted(steps))
    ]
)


@given(st.lists(points, min_size=1, max_size=4))
def test_a_rate_adds_up_to_what_was_counted(several: list[list[tuple[float, float]]]) -> None:
    middles, grown = rate([counter(one) for one in several])

    total = sum(grown) * 2 * middles[0]
    assert total == pytest.approx(sum(one[-1][1] for one in several), abs=1e-6)


def stepped(*points: tuple[float, float]) -> Curve:
    """Return a curve of (step, value) points, one a second."""
    step, value = (array("d", column) for column in zip(*points, strict=True))
    return Curve(array("d", range(len(step))), step, value)


def test_steps_that_were_undone_are_replaced_by_those_done_anew() -> None:
    curve = stepped((10, 0.9), (20, 0.8), (30, 0.7), (20, 0.81), (30, 0.71), (40, 0.6))

    kept = undone_left_out(curve)

    assert list(zip(kept.step, kept.value, strict=True)) == [
        (10, 0.9), (20, 0.81), (30, 0.71), (40, 0.6)
    ]  # fmt: skip
    assert list(kept.t) == [0.0, 3.0, 4.0, 5.0]


def test_two_reports_of_one_step_are_both_kept() -> None:
    kept = undone_left_out(stepped((1, 0.9), (1, 0.8), (2, 0.7)))

    assert list(kept.value) == [0.9, 0.8, 0.7]


def test_an_actor_that_began_afresh_has_its_new_life_only() -> None:
    kept = undone_left_out(stepped((5, 0.9), (6, 0.8), (1, 2.0)))

    assert list(kept.value) == [2.0]


def test_points_without_a_step_are_on_no_curve_over_steps() -> None:
    assert list(undone_left_out(stepped((math.nan, 1.0), (1, 0.5))).value) == [0.5]


steps = st.lists(st.tuples(st.integers(0, 30).map(float), st.floats(0, 1)), min_size=1)


@given(steps)
def test_a_curve_over_steps_never_goes_back(points: list[tuple[float, float]]) -> None:
    kept = undone_left_out(stepped(*points))

    assert list(kept.step) == sorted(kept.step)
    assert (kept.step[-1], kept.value[-1]) == points[-1]
    assert set(zip(kept.step, kept.value, strict=True)) <= set(points)


@given(steps)
def test_steps_that_only_go_up_are_all_kept(points: list[tuple[float, float]]) -> None:
    curve = stepped(*sorted(points, key=lambda point: point[0]))

    assert undone_left_out(curve) == curve
