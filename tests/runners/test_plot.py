"""Any run that reported something can be drawn, headless and without a warning."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from matplotlib.image import imread

from tether.runners.metrics import MetricsFile
from tether.runners.plot import plot

BOLD = (0xD5, 0x5E, 0x00)


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
