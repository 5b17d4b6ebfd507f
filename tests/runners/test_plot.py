"""Any run that reported something can be drawn, headless and without a warning."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from tether.runners.curves import of
from tether.runners.metrics import MetricsFile, curves
from tether.runners.plot import _main_metric, _values, plot

BOLD = (0xD5, 0x5E, 0x00)
BACK = (0xB5, 0x00, 0x5B)


class Run:
    """A run directory in the making."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def report(self, actor: str, t: float, step: int | None, **metrics: float) -> None:
        with MetricsFile(self.path / "metrics.jsonl") as file:
            file.append(t, actor, step, metrics)

    def train(self, workers: int = 2, **more: float) -> None:
        for step in range(1, 21):
            for index in range(workers):
                self.report(f"worker/{index}", step / 2, step, loss=2.0 / step, **more)

    def shape(self) -> tuple[int, int]:
        height, width, _ = imread(plot(self.path)).shape
        return width, height

    def shows(self, colour: tuple[int, int, int]) -> bool:
        picture = (imread(plot(self.path))[:, :, :3] * 255).round().astype(int)
        return bool((picture == colour).all(axis=2).any())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_loss_by_step_and_by_time_and_pace_stand_side_by_side(run: Run) -> None:
    run.train()

    assert run.shape() == (2160, 520)


def test_accuracy_makes_it_a_figure_of_two_by_two(run: Run) -> None:
    run.train()
    before = run.shows(BOLD)

    run.report("evaluator/0", 5.0, None, accuracy=0.9)

    assert not before
    assert run.shows(BOLD)
    assert run.shape() == (1440, 980)


def test_a_restart_is_marked_where_the_loss_is(run: Run) -> None:
    run.train()
    before = run.shows(BACK)

    run.report("worker/1", 10.5, 10, rolled_back=14, rolled_back_steps=9, incarnation=2)

    assert not before
    assert run.shows(BACK)
    assert run.shape() == (2160, 520)


def test_a_restart_of_an_actor_without_steps_is_marked_in_time(run: Run) -> None:
    run.train()

    run.report("center/0", 5.0, None, rolled_back=14, rolled_back_steps=0, incarnation=2)

    assert run.shows(BACK)


def test_a_loss_over_steps_never_goes_back(run: Run) -> None:
    run.train(workers=1)
    run.report("worker/0", 10.5, 10, rolled_back=14, rolled_back_steps=10, incarnation=2)
    for step in range(11, 31):
        run.report("worker/0", step / 2 + 5, step, loss=2.0 / step)
    found = of(curves(run.path / "metrics.jsonl"), "loss")
    axes = Figure().subplots()

    _values(axes, found, [], "loss", "step")

    (line,) = axes.get_lines()
    assert np.asarray(line.get_xdata()).tolist() == [float(step) for step in range(1, 31)]


def test_a_loss_over_time_keeps_what_was_rolled_back(run: Run) -> None:
    run.train(workers=1)
    run.report("worker/0", 11.0, 11, loss=2.0 / 11)
    found = of(curves(run.path / "metrics.jsonl"), "loss")
    axes = Figure().subplots()

    _values(axes, found, [], "loss", "t")

    (line,) = axes.get_lines()
    assert len(np.asarray(line.get_xdata())) == 21


def test_an_actor_without_steps_has_no_line_over_steps(run: Run) -> None:
    run.train(workers=1)
    run.report("server/0", 1.0, None, loss=1.0)
    found = of(curves(run.path / "metrics.jsonl"), "loss")
    axes = Figure().subplots()

    _values(axes, found, [], "loss", "step")

    assert [line.get_label() for line in axes.get_lines()] == ["worker"]


def test_what_is_written_of_a_restart_is_no_metric_to_draw(run: Run) -> None:
    run.report("center/0", 1.0, None, rolled_back=14, rolled_back_steps=0, incarnation=2)

    with pytest.raises(ValueError, match="no actor has reported a metric, so there is nothing"):
        plot(run.path)


def test_the_metric_most_actors_report_is_none_of_a_restart(run: Run) -> None:
    run.report("agent/0", 1.0, 1, score=1.0)
    for index in range(3):
        run.report(f"agent/{index}", 2.0, 1, rolled_back=1, rolled_back_steps=1, incarnation=2)
    found = curves(run.path / "metrics.jsonl")

    assert _main_metric(found) == "score"


def test_exchanges_are_drawn_as_a_rate_and_not_as_a_value(run: Run) -> None:
    run.report("worker/0", 1.0, None, exchanges=10)
    run.report("worker/0", 2.0, None, exchanges=20)

    assert run.shape() == (720, 520)


def test_without_a_loss_the_metric_most_actors_report_is_drawn(run: Run) -> None:
    for step in range(5):
        run.report("agent/0", float(step), step, score=step, entropy=1.0)
        run.report("agent/1", float(step), step, score=step)

    assert run.shape() == (2160, 520)


def test_values_without_steps_are_drawn_against_time_only(run: Run) -> None:
    for second in range(5):
        run.report("server/0", float(second), None, loss=1.0 / (1 + second))

    assert run.shape() == (720, 520)


@pytest.mark.parametrize(
    "metrics", [{"loss": 0.5}, {"accuracy": 0.5}, {"exchanges": 3.0}, {"loss": math.nan}]
)
@pytest.mark.parametrize("t", [0.0, 2.0])
def test_a_run_of_a_single_report_has_a_picture(
    run: Run, t: float, metrics: dict[str, float]
) -> None:
    run.report("worker/0", t, 1, **metrics)

    assert plot(run.path).stat().st_size > 5_000


def test_an_accuracy_that_is_no_number_has_no_label(run: Run) -> None:
    run.report("evaluator/0", 1.0, None, accuracy=math.nan)

    assert not run.shows(BOLD)


@pytest.mark.parametrize(
    ("wiring", "text"),
    [("easgd.toml", ""), ("wiring.toml", "# EASGD: $4 workers$, 1 center\n"), ("wiring.toml", "")],
)
def test_the_title_comes_from_the_wiring(run: Run, wiring: str, text: str) -> None:
    run.train(workers=1)
    plain = imread(plot(run.path))

    (run.path / wiring).write_text(text)

    renamed = wiring == "easgd.toml" or text
    assert (imread(plot(run.path)) != plain).any() == bool(renamed)


def test_the_users_own_style_is_left_alone(run: Run) -> None:
    import matplotlib as mpl

    run.train(workers=1)
    before = dict(mpl.rcParams)

    plot(run.path)

    assert dict(mpl.rcParams) == before


def test_a_folder_without_metrics_is_named(run: Run) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no metrics.jsonl, which a run writes"):
        plot(run.path)


def test_a_run_that_reported_nothing_is_named(run: Run) -> None:
    (run.path / "metrics.jsonl").touch()

    with pytest.raises(ValueError, match="no actor has reported a metric, so there is nothing"):
        plot(run.path)


def test_without_matplotlib_the_command_to_get_it_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.train(workers=1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tether\[plot\]'"):
        plot(run.path)
