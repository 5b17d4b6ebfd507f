"""A run can be watched, in a terminal and in a log, and leaves the terminal as it was."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from tether.runners.progress import Progress
from tether.runners.restart import Restart

BACK = Restart(7.0, "worker/2", 2, "killed", 0.3, "worker-2.7.safetensors", 120, 14, 9)
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


def test_what_befalls_an_actor_is_a_line_of_a_log_at_once(log: Screen) -> None:
    progress = log.progress()

    progress.down("worker/2", "its process was killed by SIGKILL", 0.1)
    progress.bereaved("worker/1", "center/0 died", 0.05)
    progress.restarted(BACK)
    progress.gave_up("worker/3", "3 restarts in 60 s were not enough")
    progress.joined("worker/4")
    progress.left("worker/4")
    progress.stalled("center/0: Center.block has held the event loop for 1.2 s", 1.2)

    assert log.text.splitlines() == [
        "worker/2 died: its process was killed by SIGKILL; restarting in 0.1 s",
        "worker/1 has lost another: center/0 died; its run() begins again in 0.05 s",
        (
            "worker/2 is back, incarnation 2, from checkpoint worker-2.7 (step 120): "
            "14 messages and 9 steps rolled back"
        ),
        "worker/3 is given up: 3 restarts in 60 s were not enough",
        "worker/4 joined",
        "worker/4 left",
        "center/0: Center.block has held the event loop for 1.2 s",
    ]


def test_what_ails_an_actor_is_told_when_it_begins_and_when_it_is_over(log: Screen) -> None:
    progress = log.progress()

    for second in range(3):
        log.now = float(second)
        progress.unreachable("worker/0", f"silent for {5 + second} s")
    progress.reachable("worker/0")
    progress.reachable("worker/0")

    assert log.text.splitlines() == [
        "worker/0 is unreachable: silent for 5 s",
        "worker/0 is no longer unreachable",
    ]


def test_what_hangs_is_told_without_naming_the_actor_twice(log: Screen) -> None:
    progress = log.progress()

    progress.hung("center/0", "center/0: Center.block has held the event loop for 30.0 s")
    progress.slow("worker/0", "no step for 43 s, usually 0.2 s")
    progress.hung("worker/1", "")

    assert log.text.splitlines() == [
        "center/0 is hung: Center.block has held the event loop for 30.0 s",
        "worker/0 is slow: no step for 43 s, usually 0.2 s",
        "worker/1 is hung",
    ]


def test_a_reason_of_many_lines_is_one_line_of_a_log(log: Screen) -> None:
    log.progress().down("worker/0", "ValueError: shapes differ:\n  (3,)\n  (4,)", 2.34)

    assert log.text == (
        "worker/0 died: ValueError: shapes differ: (3,) (4,); restarting in 2.3 s\n"
    )


def test_the_line_of_a_log_counts_what_is_wrong(log: Screen) -> None:
    progress = log.progress()
    for index in range(6):
        progress.started(f"worker/{index}", index)
    before = progress.line()

    progress.restarted(BACK)
    progress.down("worker/0", "killed", 1.0)
    progress.down("worker/1", "killed", 1.0)
    progress.unreachable("worker/2", "")
    progress.gave_up("worker/3", "")
    progress.queues("worker/4", 12, 3)
    progress.left("worker/5")

    assert before == "easgd 0:00  6/6 actors  0.0 messages/s  0.0 MB/s"
    assert progress.line() == (
        "easgd 0:00  2/5 actors  2 down, 1 given up, 1 unreachable, 1 restart  "
        "0.0 messages/s  0.0 MB/s  12 waiting  3 held"
    )


def test_a_dead_actor_is_counted_down_to_its_restart(terminal: Screen) -> None:
    with terminal.progress() as progress:
        progress.started("worker/2", 4711)
        progress.down("worker/2", "killed", 2.0)
        terminal.now = 0.3
        progress.tick()
        waiting = terminal.row("worker/2")
        terminal.now = 2.5
        progress.tick()
        due = terminal.row("worker/2")
        progress.restarted(BACK)
        progress.started("worker/2", 4712)

    assert waiting == "worker/2 restarting in 2 s 4711"
    assert due == "worker/2 restarting 4711"
    assert terminal.row("worker/2") == "worker/2 4712 1"


def test_events_are_no_lines_of_a_terminal(terminal: Screen) -> None:
    with terminal.progress() as progress:
        progress.down("worker/0", "its process was killed by SIGKILL", 0.1)

    assert "SIGKILL" not in terminal.text


def test_queues_have_columns_from_when_there_are_any(terminal: Screen) -> None:
    with terminal.progress() as progress:
        progress.started("center/0", 7)
        progress.queues("center/0", 0, 0)
        terminal.now = 1.0
        progress.queues("center/0", 31, 0)
        full = terminal.row("center/0")
        terminal.now = 2.0
        progress.queues("center/0", 0, 0)

    assert full == "center/0 7 31"
    assert terminal.row("center/0") == "center/0 7"
    assert terminal.row("actor").endswith("MB/s queue")


def test_a_member_that_comes_back_is_shown_as_starting_and_then_as_running(log: Screen) -> None:
    progress = log.progress()
    progress.started("worker/0", 1)
    progress.left("worker/0")
    gone = progress.line()

    progress.joined("worker/0")
    joined = progress.line()
    progress.started("worker/0", 2)
    progress.joined("worker/0")

    assert "0/0 actors" in gone
    assert "0/1 actors" in joined
    assert "1/1 actors" in progress.line()
