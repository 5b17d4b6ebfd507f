"""A simulated run can be drawn over its virtual time, whatever befell whom in it."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread

from tether.runners import virtual
from tether.runners.chaos import Strike
from tether.runners.gauge import Look
from tether.runners.simulation import Work
from tether.runners.tally import Report, Span
from tether.runners.timeline import (
    Bar,
    Story,
    _losses,
    bars,
    chosen,
    draw,
    labels,
    levels,
    merged,
    shaded,
    states,
    story,
)
from tether.runners.world import World

LEARNER = {
    "make": "tether.protocols.quadratic:Quadratic",
    "n": 4, "eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0, "start": 1.0, "seed": "$seed",
}  # fmt: skip
WIRING = {
    "center": {
        "actor": "tether.protocols.easgd:Center",
        "x": {"make": "tether.protocols.quadratic:initial", "n": 4, "start": 1.0},
        "alpha": 0.2,
    },
    "worker": {
        "actor": "tether.protocols.easgd:Worker",
        "count": 2, "processes": 1, "center": "@center", "learner": LEARNER, "tau": 4, "steps": 20,
    },
}  # fmt: skip
FAULTS = {
    "pause": [{"actor": "worker/1", "at": "0.05s", "for": "20ms"}],
    "slow": [{"actor": "worker/1", "at": "0.1s", "for": "20ms", "factor": 2}],
    "partition": [{"between": ["worker", "center"], "at": "0.1s", "for": "30ms"}],
}
WORKERS = tuple(f"worker/{k}" for k in range(4))
DEAD = (0xB2, 0x18, 0x2B)
UNREACHABLE = (0xF5, 0xA6, 0x23)
COMPUTING = (0x3D, 0x8F, 0xC9)
SLOW = (0xDC, 0xC7, 0xA3)
STATES = (DEAD, UNREACHABLE, COMPUTING, SLOW)
HALF = (0x8B, 0xBC, 0xDF)
"""The colour of an actor that computes half of the time."""
Times = list[tuple[float, float]]


def partition(begins: float, *ways: str, kind: str = "partition") -> Strike:
    return Strike(kind, ways, begins, begins + 1)


def shown_in(path: Path, *colours: tuple[int, int, int]) -> set[tuple[int, int, int]]:
    picture = (imread(path)[:, :, :3] * 255).round().astype(int)
    return {colour for colour in colours if (picture == colour).all(axis=2).any()}


def size_of(path: Path) -> tuple[int, int]:
    height, width, _ = imread(path).shape
    return width, height


@pytest.fixture
def full() -> Story:
    return Story(
        "EASGD",
        10.0,
        ["center/0", *WORKERS],
        [Work(name, "gradient", t, t + 0.8) for name in WORKERS for t in range(10)],
        [Span("worker/1", "down", 2.0, 4.0), Span("worker/2", "unreachable", 5.0, 8.0)],
        [
            Strike("crash", ("worker/1",), 1.9, 1.9),
            Strike("pause", ("worker/2",), 4.5, 6.5),
            Strike("slow", ("worker/3",), 3.0, 6.0),
            partition(7.0, "worker→center", "center→worker"),
            partition(8.0, "*→*", kind="link"),
        ],
        [Report(t, name, t, {"loss": 1 / (1 + t)}) for name in WORKERS for t in range(10)],
        {"worker": [Look(t, 1.0, 2.0) for t in range(10)]},
    )


def test_pieces_that_touch_or_overlap_are_one_bar() -> None:
    pieces = [(3.0, 4.0), (0.0, 1.0), (1.0, 2.0), (3.5, 5.0), (3.6, 3.7)]

    assert merged(pieces, 10.0) == [Bar(0.0, 2.0), Bar(3.0, 5.0)]


def test_what_lies_outside_the_run_is_cut_off() -> None:
    pieces = [(-2.0, -1.0), (-0.5, 1.0), (9.0, 12.0), (11.0, 12.0), (5.0, 5.0)]

    assert merged(pieces, 10.0) == [Bar(0.0, 1.0), Bar(9.0, 10.0)]


def test_shades_are_the_shares_of_equal_times_in_eighths_upwards() -> None:
    whole = [Bar(0.0, 4.0), Bar(6.0, 7.0), Bar(8.0, 8.1)]

    found = shaded(whole, 12.0, 6)

    assert found == [Bar(0.0, 4.0, 1.0), Bar(6.0, 8.0, 0.5), Bar(8.0, 10.0, 0.125)]


def test_few_bars_are_exact_and_too_many_are_shaded() -> None:
    rows = {"a": [(0.0, 1.0), (2.0, 3.0)], "b": [(0.0, 1.0), (3.0, 4.0)]}

    exact, thin = bars(rows, 4.0, most=4), bars(rows, 4.0, most=3)

    assert exact == {"a": [Bar(0.0, 1.0), Bar(2.0, 3.0)], "b": [Bar(0.0, 1.0), Bar(3.0, 4.0)]}
    assert thin == {"a": [Bar(0.0, 4.0, 0.5)], "b": [Bar(0.0, 4.0, 0.5)]}


MOMENTS = st.floats(-1, 11).map(lambda t: round(t, 2))
TIMES: st.SearchStrategy[Times] = st.lists(st.tuples(MOMENTS, MOMENTS).map(sorted).map(tuple))  # type: ignore[arg-type]


@given(st.dictionaries(st.sampled_from("abc"), TIMES, min_size=1), st.integers(3, 20))
def test_bars_are_few_in_order_and_hide_nothing(rows: dict[str, Times], most: int) -> None:
    found = bars(rows, 10.0, most)

    assert sum(map(len, found.values())) <= most
    for row, mine in found.items():
        exact = merged(rows[row], 10.0)
        assert all(0 <= a.begins < a.ends <= 10.0 + 1e-9 and 0 < a.share <= 1 for a in mine)
        assert all(a.ends <= b.begins + 1e-9 for a, b in pairwise(mine))
        for bar in exact:
            middle = (bar.begins + bar.ends) / 2
            assert any(a.begins <= middle <= a.ends for a in mine)
        busy = sum(bar.ends - bar.begins for bar in exact)
        assert sum((a.ends - a.begins) * a.share for a in mine) >= busy - 1e-4


def test_up_to_as_many_actors_as_there_is_room_for_are_all_drawn(full: Story) -> None:
    assert chosen(full, 5) == ["center/0", *WORKERS]


def test_of_more_actors_those_that_most_befell_come_first_and_keep_their_order(
    full: Story,
) -> None:
    assert chosen(full, 4) == ["center/0", "worker/1", "worker/2", "worker/3"]
    assert chosen(full, 2) == ["worker/1", "worker/2"]


def test_work_and_pauses_end_when_their_actor_dies() -> None:
    strikes = [Strike("crash", ("a/0",), 2.0, 2.0), Strike("pause", ("a/0", "b/0"), 1.5, 4.0)]
    work = [Work("a/0", "gradient", 1.0, 3.0), Work("a/0", "gradient", 2.5, 3.5)]
    work.append(Work("b/0", "gradient", 1.0, 9.0))

    found = states(Story("", 9.0, ["a/0", "b/0"], work, [Span("b/0", "down", 5.0, 6.0)], strikes))

    assert found["computing"] == {"a/0": [(1.0, 2.0), (2.5, 3.5)], "b/0": [(1.0, 5.0)]}
    assert found["pause"] == {"a/0": [(1.5, 2.0)], "b/0": [(1.5, 4.0)]}
    assert found["down"] == {"b/0": [(5.0, 6.0)]}


def test_slowness_outlives_a_death_and_a_partition_is_nobodys_state() -> None:
    strikes = [Strike("slow", ("a/0",), 1.0, 4.0), partition(1.0, "a→b")]

    found = states(Story("", 9.0, ["a/0"], (), [Span("a/0", "down", 2.0, 3.0)], strikes))

    assert found["slow"] == {"a/0": [(1.0, 4.0)]}
    assert {state for state, rows in found.items() if rows} == {"slow", "down"}


def test_levels_are_the_median_and_the_middle_of_the_losses_of_each_time() -> None:
    first = [Report(1.0, f"w/{k}", 1, {"loss": float(k)}) for k in range(10)]
    then = [Report(6.0, "w/0", 2, {"loss": 7.0}), Report(8.0, "w/1", 2, {"loss": 5.0})]

    found = levels([*first, *then], 10.0)

    assert found == [(1.0, 1.0, 4.5, 9.0), (7.0, 5.0, 6.0, 7.0)]


def test_what_is_no_loss_or_no_number_has_no_level() -> None:
    values: Sequence[dict[str, float]] = [{"loss": math.nan}, {"loss": math.inf}, {"accuracy": 1.0}]

    assert levels([Report(1.0, "w/0", 1, metrics) for metrics in values], 10.0) == []


def test_a_report_after_the_end_belongs_to_the_last_time() -> None:
    assert levels([Report(11.0, "w/0", 1, {"loss": 2.0})], 10.0) == [(11.0, 2.0, 2.0, 2.0)]


def test_a_long_run_has_few_levels() -> None:
    reports = [Report(t / 100, "w/0", t, {"loss": 1.0}) for t in range(10_000)]

    assert len(levels(reports, 100.0)) == 150


@pytest.mark.parametrize(
    ("strike", "text"),
    [
        (partition(0, "worker→center", "center→worker"), "partition center ↔ worker"),
        (partition(0, "worker/0→center"), "partition worker/0 → center"),
        (partition(0, "*→*", kind="link"), "link fault all ↔ all"),
        (partition(0, "*→center", kind="link"), "link fault all → center"),
        (partition(0, "a→b", "a→c", "a→d"), "partition a → b, a → c, …"),
    ],
)
def test_a_band_says_between_whom_it_is(strike: Strike, text: str) -> None:
    assert labels([strike], 10.0) == [(text, 0.0, 0)]


def test_bands_alike_share_the_label_of_the_first() -> None:
    strikes = [partition(6, "a→b"), partition(2, "a→b"), Strike("crash", ("a/0",), 1, 1)]

    assert labels(strikes, 10.0) == [("partition a → b ×2", 0.2, 0)]


def test_labels_that_would_overlap_go_in_lines_and_those_without_room_are_left_out() -> None:
    strikes = [partition(0.4 * k, f"a→{k}") for k in range(5)]

    found = labels(strikes, 10.0)

    lanes = [(text[-1], lane) for text, _, lane in found]
    assert lanes == [("0", 0), ("1", 1), ("2", 2), ("4", 0)]


def test_a_label_near_the_end_stays_within_the_panel() -> None:
    ((text, x, _),) = labels([partition(9.5, "worker→center")], 10.0)

    assert x == pytest.approx(1 - 0.0092 * len(text))


def test_losses_over_more_than_a_factor_of_twenty_are_on_a_logarithmic_axis() -> None:
    scales = []
    for last in (0.1, 0.01, 0.0):
        axes = Figure().subplots()
        _losses(axes, {"w": [(0.0, 1.0, 1.0, 1.0), (1.0, last, last, last)]}, {"w": "#000000"})
        scales.append(axes.get_yscale())

    assert scales == ["linear", "log", "linear"]


def test_a_full_story_is_a_picture_with_all_states(full: Story, tmp_path: Path) -> None:
    path = draw(full, tmp_path / "timeline.png")

    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    assert size_of(path) == (1200, 615)
    assert shown_in(path, *STATES) == set(STATES)


def test_a_calm_story_shows_no_faults(full: Story, tmp_path: Path) -> None:
    path = draw(replace(full, spans=(), strikes=()), tmp_path / "timeline.png")

    assert shown_in(path, *STATES) == {COMPUTING}


def test_panels_are_left_out_when_there_is_nothing_in_them(full: Story, tmp_path: Path) -> None:
    path = tmp_path / "timeline.png"

    assert size_of(draw(replace(full, disagreement={}), path)) == (1200, 450)
    assert size_of(draw(replace(full, reports=(), disagreement={"worker": []}), path)) == (
        1200,
        285,
    )


@pytest.mark.parametrize(("count", "height"), [(0, 285), (1, 285), (32, 1095), (200, 1095)])
def test_any_number_of_actors_has_a_picture(count: int, height: int, tmp_path: Path) -> None:
    actors = [f"$worker$/{k}" for k in range(count)]
    spans = [Span(actor, "down", 1.0, 2.0) for actor in actors]

    path = draw(Story("$a", 3.0, actors, spans=spans), tmp_path / "timeline.png")

    assert size_of(path) == (1200, height)


def test_a_run_that_took_no_time_has_a_picture(full: Story, tmp_path: Path) -> None:
    assert size_of(draw(replace(full, seconds=0.0), tmp_path / "timeline.png")) == (1200, 615)


def test_more_work_than_can_be_drawn_is_drawn_in_shades(tmp_path: Path) -> None:
    work = [Work("a/0", "gradient", t / 1000, t / 1000 + 0.0005) for t in range(6000)]

    path = draw(Story("", 6.0, ["a/0"], work), tmp_path / "timeline.png")

    assert shown_in(path, COMPUTING, HALF) == {HALF}


def test_the_users_own_style_is_left_alone(full: Story, tmp_path: Path) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)

    draw(full, tmp_path / "timeline.png")

    assert dict(mpl.rcParams) == before


def test_without_matplotlib_the_command_to_get_it_is_told(
    full: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(ModuleNotFoundError) as caught:
        draw(full, tmp_path / "timeline.png")

    assert str(caught.value) == (
        "a plot is drawn by matplotlib, which is not installed: pip install 'tether[plot]'"
    )


@pytest.fixture(scope="module")
def told() -> tuple[Story, float]:
    """A simulated run's story, and when the run began."""

    async def main() -> tuple[Any, float, float]:
        async with World(WIRING, "simulated", seed=1, faults=FAULTS) as world:
            await world.finished()
        began, result = world._conductor.began, world.result
        assert began is not None
        assert result is not None
        return world.simulation, result.seconds, began

    simulation, seconds, began = virtual.run(main())
    return story(simulation, "EASGD", seconds, began), began


def test_a_simulations_times_are_brought_to_the_time_of_its_reports(
    told: tuple[Story, float],
) -> None:
    found, began = told

    works = sorted(work.ends for work in found.work if work.actor == "worker/0")
    reports = sorted(report.t for report in found.reports if report.actor == "worker/0")

    assert began > 0.1
    assert reports[0] == pytest.approx(works[0], abs=1e-9)
    assert reports[-1] == pytest.approx(works[-1], abs=1e-9)
    assert found.disagreement["worker"][-1].t <= found.seconds + 0.01


def test_a_pause_meets_all_of_a_process_and_slowness_one_actor(told: tuple[Story, float]) -> None:
    victims = {strike.kind: strike.victims for strike in told[0].strikes}

    assert victims == {
        "pause": ("worker/0", "worker/1"),
        "slow": ("worker/1",),
        "partition": ("worker→center", "center→worker"),
    }
    assert {s.kind: round(s.begins, 2) for s in told[0].strikes}["pause"] == 0.05


def test_a_simulated_run_has_a_picture(told: tuple[Story, float], tmp_path: Path) -> None:
    path = draw(told[0], tmp_path / "timeline.png")

    assert size_of(path) == (1200, 615)
    assert shown_in(path, *STATES) == {COMPUTING, SLOW}
