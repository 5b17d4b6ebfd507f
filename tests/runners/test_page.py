"""The last page of a run can be read in a terminal, and shows only what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.runners.records import account, of_two_workers, printed, worker
from tether.runners.page import page
from tether.runners.restart import Restart
from tether.runners.summary import (
    Change,
    Queue,
    Stall,
    Summary,
    summarise,
)

DIED = "its process was killed by SIGKILL"


@pytest.fixture
def summary() -> Summary:
    return of_two_workers()


def text(summary: Summary, width: int = 120) -> str:
    return printed(page(summary), width)


def rows(summary: Summary, start: str, width: int = 120) -> list[str]:
    """Return what follows a name in each line that starts with it, one blank between cells."""
    lines = [line for line in text(summary, width).splitlines() if line.startswith(start + "  ")]
    return [" ".join(line[len(start) :].split()) for line in lines]


def row(summary: Summary, start: str, width: int = 120) -> str:
    (line,) = rows(summary, start, width)
    return line


def test_the_tables_show_steps_rates_and_megabytes(summary: Summary) -> None:
    assert rows(summary, "worker/0") == ["100 50 25.0 10 10 4.0 0.0", "10 10 0"]
    assert rows(summary, "worker/1") == ["100 50 25.0 6 5 2.0 0.0", "6 5 1 superseded"]
    assert row(summary, "center/0") == "99 0 0 0.0 6.0"
    assert row(summary, "worker → center.exchange") == "16 15 1 superseded 7.5 3.0"


def test_an_edge_with_a_codec_shows_what_it_has_saved_and_cost(summary: Summary) -> None:
    record = account("center/0", sent=10, handled=10, bytes=2_000_000)
    record["compressed"] = {"raw": 4_000_000, "packed": 1_600_000, "error": 8000.0}

    shown = rows(
        summarise("finished", [worker(0, record)], seconds=1.0), "worker → center.exchange"
    )

    assert shown[1] == "4.0 1.6 2.5 0.002"
    assert "compressed" not in text(summary)


def test_what_became_of_no_message_has_no_column(summary: Summary) -> None:
    lost = summarise("finished", [worker(0, account("b/0", sent=2, unknown=2))], seconds=1.0)

    assert "unknown" not in text(summary)
    assert row(lost, "messages") == "sent handled unknown handled/s MB/s"


def test_a_run_of_very_many_actors_is_shown_by_table() -> None:
    records = [worker(index, account("center/0", sent=2, handled=2)) for index in range(100)]

    summary = summarise("finished", records, seconds=10.0)

    assert row(summary, "worker × 100") == "5,000 500.0 200 200 0.0 0.0"


def test_the_tables_of_a_clean_run_fit_a_terminal_of_80_columns() -> None:
    record = worker(0, account("center/0", sent=9999, handled=9999, bytes=10**12), steps=10**6)

    shown = text(summarise("finished", [record], seconds=60.0), width=80)

    assert "1,000,000.0" in shown
    assert "…" not in shown


def test_several_kinds_of_messages_have_a_total() -> None:
    records = [
        worker(0, account("center/0", "pull", sent=3, handled=3)),
        worker(1, account("center/0", "exchange", sent=4, handled=4)),
    ]

    summary = summarise("finished", records, seconds=1.0)

    assert row(summary, "all").startswith("7 7 ")


def test_messages_of_unknown_fate_are_called_a_bug() -> None:
    summary = summarise("finished", [worker(0, account("center/0", sent=3))], seconds=1.0)

    assert "3 messages are unaccounted for: this is a bug" in text(summary)


def test_too_many_and_too_few_do_not_hide_each_other() -> None:
    records = [
        worker(0, account("center/0", sent=3)),
        worker(1, account("center/0", sent=5, handled=8)),
    ]

    summary = summarise("finished", records, seconds=1.0)

    assert summary.traffic.unaccounted == 0
    assert "6 messages are unaccounted for: this is a bug" in text(summary)
    assert rows(summary, "worker/0")[1] == "3 0 3"
    assert rows(summary, "worker/1")[1] == "5 8 -3"


def test_every_restart_is_named_with_what_it_undid() -> None:
    restarts = [
        Restart(5.25, "worker/2", 2, DIED, 0.312, "worker-2.7.safetensors", 1200, 14, 9),
        Restart(9.0, "center/0", 2, "ValueError: x", 0.05, in_place=True),
    ]

    summary = summarise("finished", [], seconds=10.0, restarts=restarts)

    assert row(summary, "restarts") == "at s life from rolled back down s why"
    assert row(summary, "center/0") == "9.0 2 afresh in place nothing 0.05 ValueError: x"
    assert row(summary, "worker/2", 140) == (
        f"5.2 2 worker-2.7 (step 1,200) 14 messages and 9 steps 0.31 {DIED}"
    )


def test_a_restart_fits_a_terminal_of_80_columns() -> None:
    one = Restart(1005.2, "worker/12", 12, DIED, 0.312, "worker-12.117.safetensors", 12000, 1400, 9)
    other = replace(one, why="ValueError: shapes differ", checkpoint="", in_place=True)

    shown = text(summarise("finished", [], seconds=10.0, restarts=[one, other]), width=80)

    words = f"worker/12 1,005.2 worker-12.117 12,000) 1,400 messages and 9 steps 0.31 {DIED}"
    assert set(words.split()) <= set(shown.split())
    assert "shapes differ" in shown


def test_very_many_restarts_are_added_up_by_actor() -> None:
    restarts = [
        Restart(float(k), f"worker/{k % 2}", 2 + k, DIED if k else "x", 0.5, "a", 1, 10, 2)
        for k in range(21)
    ]

    summary = summarise("finished", [], seconds=30.0, restarts=restarts)

    assert row(summary, "worker/0") == f"11 110 messages and 22 steps 5.50 {DIED}"
    assert row(summary, "worker/1") == f"10 100 messages and 20 steps 5.00 {DIED}"


def test_who_was_given_up_is_named_with_the_reason() -> None:
    gave_up = {
        "worker/3": "3 restarts in 60 s were not enough",
        "worker/4": "no checkpoint is good",
    }

    shown = text(summarise("failed", [worker(3)], seconds=1.0, gave_up=gave_up)).splitlines()

    assert shown[1:3] == [
        "worker/3 was given up: 3 restarts in 60 s were not enough",
        "worker/4 was given up: no checkpoint is good",
    ]


def test_stalls_of_one_cause_are_one_row() -> None:
    stalls = [
        Stall(f"center/0: Center.block has held the event loop for {s} s, at a.py:7", s)
        for s in (1.5, 3.0)
    ]
    other = Stall("something has held the event loop for 2.0 s, at b.py:9", 2.0)

    summary = summarise("finished", [], seconds=9.0, stalls=[*stalls, other])

    assert row(summary, "center/0: Center.block, at a.py:7") == "2 3.0 4.5"
    assert row(summary, "something, at b.py:9") == "1 2.0 2.0"


def test_who_came_and_went_is_shown_in_order() -> None:
    changes = [Change(1.0, "worker/2", "joined"), Change(8.5, "worker/2", "left")]

    shown = text(summarise("finished", [], seconds=9.0, membership=changes))

    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[-2:] == ["worker/2 1.0 joined", "worker/2 8.5 left"]


def test_very_many_changes_are_counted_by_table() -> None:
    changes = [Change(float(k), f"worker/{k}", "joined") for k in range(20)]
    changes.append(Change(30.0, "worker/7", "left"))

    summary = summarise("finished", [], seconds=90.0, membership=changes)

    assert row(summary, "membership") == "joined left"
    assert row(summary, "worker") == "20 1"


def test_the_longest_queues_are_shown_of_those_who_had_any() -> None:
    peaks = {"worker/0": Queue(31, 0), "worker/1": Queue(0, 0), "worker/2": Queue(4, 2)}

    summary = summarise("finished", [worker(k) for k in range(3)], seconds=1.0, peaks=peaks)

    assert row(summary, "longest queues") == "waiting held"
    assert rows(summary, "worker/0")[1:] == ["31 0"]
    assert rows(summary, "worker/1")[1:] == []
    assert rows(summary, "worker/2")[1:] == ["4 2"]


def test_a_table_of_many_actors_shows_its_longest_queue() -> None:
    records = [worker(index) for index in range(100)]
    peaks = {f"worker/{index}": Queue(index, 2 * index) for index in range(100)}

    summary = summarise("finished", records, seconds=10.0, peaks=peaks)

    assert rows(summary, "worker × 100")[1] == "99 198"


def test_the_page_of_a_run_with_every_trouble_fits_a_terminal_of_80_columns() -> None:
    lost = account("center/0", sent=9999, handled=9990, unknown=8, dropped=1, bytes=10**12)

    summary = summarise(
        "finished",
        [worker(0, lost, pid=4_194_304, steps=10**6)],
        seconds=60.0,
        restarts=[Restart(1005.2, "worker/0", 12, DIED, 0.3, "worker-0.117.safetensors", 12000)],
        stalls=[Stall("worker/0: run() has held the event loop for 3.0 s, at players.py:79", 3.0)],
        membership=[Change(12.0, "worker/0", "left")],
        peaks={"worker/0": Queue(31, 64)},
    )

    assert "…" not in text(summary, width=80)


def test_what_did_not_happen_has_no_table(summary: Summary) -> None:
    shown = text(summary)

    for word in ("restarts", "given up", "stalls", "membership", "queue", "held", "unknown"):
        assert word not in shown
