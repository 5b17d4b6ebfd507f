"""A run can be watched, in a terminal and in a log, and leaves the terminal as it was."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tether.runners.progress import Progress, Rate, Row

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


@dataclass
class Screen:
    """A terminal, or a log, that can be read back, with a clock that is set by hand."""

    terminal: bool
    now: float = 0.0
    file: io.StringIO = field(default_factory=io.StringIO)

    def progress(self, every: float = 5.0, height: int = 40) -> Progress:
        console = Console(
            file=self.file, force_terminal=self.terminal, width=100, height=height, _environ={}
        )
        return Progress("easgd", console, every=every, clock=lambda: self.now)

    @property
    def text(self) -> str:
        return self.file.getvalue()

    def row(self, start: str) -> str:
        """Return the cells of the newest row that starts so, one blank between them."""
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.text)
        rows = [" ".join(line.split()) for line in plain.splitlines()]
        return [row for row in rows if row.startswith(start)][-1]


@pytest.fixture
def terminal() -> Screen:
    return Screen(terminal=True)


@pytest.fixture
def log() -> Screen:
    return Screen(terminal=False)


def test_an_actor_is_shown_with_its_process_pace_and_loss(terminal: Screen) -> None:
    with terminal.progress() as progress:
        progress.started("worker/0", 4711)
        progress.reported("worker/0", 0.0, 0, {"loss": 0.5})
        progress.traffic("worker/0", 0, 0)
        terminal.now = 2.0
        progress.reported("worker/0", 2.0, 300, {"loss": 0.5})
        progress.traffic("worker/0", 30, 6_000_000)

    assert terminal.row("worker/0") == "worker/0 4711 300 150.0 0.5000 15.0 3.0"


def test_the_accuracy_of_an_evaluator_is_the_last_one(terminal: Screen) -> None:
    with terminal.progress() as progress:
        progress.reported("evaluator/0", 1.0, None, {"accuracy": 0.5})
        progress.reported("evaluator/0", 2.0, None, {"accuracy": 0.875})

    assert terminal.row("evaluator/0") == "evaluator/0 0.8750"


def test_the_terminal_is_drawn_four_times_a_second_at_most(terminal: Screen) -> None:
    with terminal.progress() as progress:
        for step in range(1000):
            progress.reported("worker/0", 0.0, step, {})
        drawn = terminal.text.count("easgd")

        terminal.now = 0.25
        progress.tick()

        assert terminal.text.count("easgd") == drawn + 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_the_cursor_is_shown_again_on_any_way_out(
    terminal: Screen, error: type[BaseException]
) -> None:
    with pytest.raises(error), terminal.progress():
        raise error

    assert terminal.text.rfind(SHOW_CURSOR) > terminal.text.rfind(HIDE_CURSOR) >= 0


def test_more_actors_than_the_terminal_has_lines_are_one_row_a_table(terminal: Screen) -> None:
    with terminal.progress(height=12) as progress:
        for index in range(30):
            progress.started(f"client/{index}", 100 + index)
            progress.reported(f"client/{index}", 0.0, 0, {"loss": float(index)})
            progress.reported(f"client/{index}", 1.0, 10, {})

    assert terminal.row("client") == "client × 30 10 300.0 14.5000"


def test_a_log_gets_a_line_every_so_many_seconds_and_one_at_the_end(log: Screen) -> None:
    with log.progress(every=5.0) as progress:
        progress.started("worker/0", 4711)
        for second in range(12):
            log.now = float(second)
            progress.reported("worker/0", log.now, 10 * second, {"loss": 0.25})

    lines = log.text.splitlines()
    assert [line.split()[1] for line in lines] == ["0:05", "0:10", "0:11"]
    assert lines[0] == (
        "easgd 0:05  1/1 actors  step 50  10.0 steps/s  loss 0.2500  0.0 messages/s  0.0 MB/s"
    )


def test_a_log_gets_no_control_characters(log: Screen) -> None:
    with log.progress() as progress:
        progress.started("worker/0", 4711)

    assert "\x1b" not in log.text


def test_an_actor_that_ended_has_no_pace_any_more(log: Screen) -> None:
    progress = log.progress()
    progress.started("worker/0", 1)
    progress.reported("worker/0", 0.0, 0, {})
    progress.reported("worker/0", 1.0, 10, {})

    before = progress.line()
    progress.ended("worker/0")

    assert "1/1 actors  step 10  10.0 steps/s" in before
    assert "0/1 actors  step 10  0.0 steps/s" in progress.line()


def test_a_long_run_shows_its_hours(log: Screen) -> None:
    progress = log.progress()

    log.now = 3723.0

    assert progress.line().startswith("easgd 1:02:03  0/0 actors")


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
