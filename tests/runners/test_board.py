"""The table of a run has columns for what there is, and fits the terminal it is in."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tether.runners.board import lines, table, text
from tether.runners.row import Health, Row


def row(actor: str, pid: int = 1) -> Row:
    made = Row(actor, pid)
    made.begin("running")
    return made


def drawn(rows: list[Row], width: int = 80, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table("easgd", rows, 0.0, width, height))
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_a_run_in_which_nothing_happened_has_no_columns_for_it() -> None:
    ended = row("worker/1")
    ended.end()

    shown = drawn([row("worker/0"), ended])

    assert "actor pid step steps/s loss accuracy messages/s MB/s" in shown


def test_one_actor_that_is_down_gives_all_a_state() -> None:
    dead, ended = row("worker/1", 2), row("worker/2", 3)
    dead.begin("restarting")
    ended.end()

    shown = drawn([row("worker/0"), dead, ended])

    assert "actor state pid step steps/s loss accuracy messages/s MB/s" in shown
    assert [line for line in shown if line.startswith("worker")] == [
        "worker/0 running 1",
        "worker/1 restarting 2",
        "worker/2 ended 3",
    ]


def test_a_column_once_needed_stays() -> None:
    busy = row("center/0")
    busy.queue(31, 2)
    busy.queue(0, 0)
    busy.restarts = 3

    shown = drawn([busy], width=100)

    assert "actor pid step steps/s loss accuracy messages/s MB/s queue held restarts" in shown
    assert shown[-2 if not shown[-1] else -1] == "center/0 1 3"


def test_a_long_state_is_cut_before_any_number_is() -> None:
    slow = row("worker/0", 4_194_304)
    slow.fall_ill("slow", "no step for 43 s, usually 0.2 s, and as many words as it takes", 0.0)
    slow.take(0.0, 1_000_000, {"loss": 0.1234, "accuracy": 0.9876})
    slow.fall_ill("slow", "no step for 43 s, usually 0.2 s, and as many words as it takes", 0.0)

    shown = [line for line in drawn([slow], width=72) if line]

    assert shown[-1].startswith("worker/0 slow")
    assert shown[-1].endswith("… 1,000,000 0.0 0.1234")
    assert len(shown) == 4  # a title, the names of the columns, a rule, one line


def test_a_narrow_terminal_has_only_the_columns_that_fit() -> None:
    dead = row("worker/0", 4711)
    dead.take(0.0, 1200, {"loss": 0.3, "accuracy": 0.5})
    dead.begin("restarting")
    dead.restarts = 3

    shown = {width: drawn([dead], width) for width in (60, 80, 100)}

    assert "actor state step steps/s loss restarts" in shown[60]
    assert "worker/0 restarting 1,200 0.0 0.3000 3" in shown[60]
    assert "actor state step steps/s loss accuracy messages/s restarts" in shown[80]
    assert "worker/0 restarting 4711 1,200 0.0 0.3000 0.5000 3" in shown[100]


@pytest.mark.parametrize("health", ["unreachable", "hung"])
def test_who_makes_no_step_has_no_pace(health: Health) -> None:
    one = row("worker/0")
    for t in (0.0, 1.0):
        one.take(t, int(10 * t), {})

    (before,) = lines([one], 1.0, 40)
    one.fall_ill(health, "", 1.0)
    (after,) = lines([one], 1.0, 40)

    assert (before.steps, after.steps) == (10.0, 0.0)


def test_more_actors_than_fit_are_counted_by_what_is_wrong_with_them() -> None:
    rows = [row(f"client/{k}") for k in range(30)]
    for k in (0, 1):
        rows[k].begin("restarting")
    rows[2].fall_ill("unreachable", "", 0.0)
    rows[3].end()

    (line,) = lines(rows, 0.0, 40)

    assert (line.name, line.state) == ("client × 30", "2 restarting, 1 unreachable")


def test_many_actors_are_running_as_long_as_one_is() -> None:
    rows = [row(f"client/{k}") for k in range(30)]
    for one in rows[1:]:
        one.end()

    (before,) = lines(rows, 0.0, 40)
    rows[0].end()
    (after,) = lines(rows, 0.0, 40)

    assert (before.state, after.state) == ("running", "ended")


def test_what_is_wrong_stands_out_in_colour() -> None:
    hung = row("worker/0")
    hung.fall_ill("hung", "", 0.0)
    dead = row("worker/1")
    dead.begin("restarting")
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={"TERM": "xterm"})

    console.print(table("easgd", [hung, dead], 0.0, 80, 40))

    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "\x1b[31mhung" in shown
    assert "\x1b[2;33mrestarting" in shown


def test_the_line_of_a_run_without_actors_is_a_line() -> None:
    assert text("easgd", "0:00", [], 0.0) == ("easgd 0:00  0/0 actors  0.0 messages/s  0.0 MB/s")
