"""The last page of a run adds up, survives its file, and can be read in a terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tether.runners.summary import (
    AccountRecord,
    ActorRecord,
    Summary,
    Traffic,
    add,
    read_summary,
    render,
    summarise,
)


def account(to: str, message: str = "exchange", **counts: int) -> AccountRecord:
    return {
        "to": to,
        "message": message,
        "sent": counts.get("sent", 0),
        "handled": counts.get("handled", 0),
        "dropped": {"superseded": counts["dropped"]} if "dropped" in counts else {},
        "unknown": counts.get("unknown", 0),
        "in_flight": counts.get("in_flight", 0),
        "bytes": counts.get("bytes", 0),
    }


def worker(index: int, *accounts: AccountRecord, pid: int = 100, steps: int = 50) -> ActorRecord:
    return {"actor": f"worker/{index}", "pid": pid, "steps": steps, "accounts": list(accounts)}


@pytest.fixture
def summary() -> Summary:
    center: ActorRecord = {"actor": "center/0", "pid": 99, "steps": 0, "accounts": []}
    first = worker(0, account("center/0", sent=10, handled=10, bytes=4_000_000))
    second = worker(1, account("center/0", sent=6, handled=5, dropped=1, bytes=2_000_000))
    return summarise("finished", [center, first, second], seconds=2.0, accuracy=0.9625)


def text(summary: Summary, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(render(summary))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def row(summary: Summary, start: str) -> str:
    lines = [line for line in text(summary).splitlines() if line.startswith(start + "  ")]
    assert len(lines) == 1
    return " ".join(lines[0][len(start) :].split())


def test_what_an_actor_was_sent_is_what_the_others_sent_to_it(summary: Summary) -> None:
    center, first, _ = summary.actors

    assert (center.name, center.bytes_in, center.traffic) == ("center/0", 6_000_000, Traffic())
    assert (first.bytes_in, first.traffic.bytes) == (0, 4_000_000)


def test_messages_of_one_kind_between_two_tables_are_one_edge(summary: Summary) -> None:
    (edge,) = summary.edges

    assert edge.title == "worker → center.exchange"
    assert (edge.traffic.sent, edge.traffic.handled) == (16, 15)
    assert edge.traffic.dropped == {"superseded": 1}


def test_rates_are_a_second_of_wall_time(summary: Summary) -> None:
    assert summary.rate(15) == 7.5


def test_a_run_that_took_no_time_has_no_rates() -> None:
    summary = summarise("failed", [worker(0)], seconds=0.0, reason="worker/0 was given up")

    assert summary.rate(15) == 0.0
    assert "failed (worker/0 was given up) after 0.0 s" in text(summary)


def test_an_actor_that_was_restarted_is_one_actor_with_its_newest_pid() -> None:
    lives = [worker(0, account("center/0", sent=2, unknown=2), pid=1, steps=20), worker(0, pid=2)]

    (actor,) = summarise("finished", lives, seconds=1.0).actors

    assert (actor.pid, actor.steps, actor.traffic.unknown) == (2, 70, 2)


def test_messages_without_a_name_are_an_edge_between_tables() -> None:
    record = account("peer/1", sent=1, handled=1)
    del record["message"]

    summary = summarise("stopped", [worker(0, record)], seconds=1.0)

    assert summary.edges[0].title == "worker → peer"


def test_what_is_written_is_read_back(summary: Summary, tmp_path: Path) -> None:
    path = summary.write(tmp_path)

    assert json.loads(path.read_text())["outcome"] == "finished"
    assert read_summary(tmp_path) == summary
    assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]


def test_a_run_that_has_not_ended_has_no_summary(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"has no summary.json, which is written when a run"
    ):
        read_summary(tmp_path)


def test_the_tables_show_steps_rates_and_megabytes(summary: Summary) -> None:
    assert row(summary, "worker/0") == "100 50 25.0 10 10 0 4.0 0.0"
    assert row(summary, "worker/1") == "100 50 25.0 6 5 1 superseded 2.0 0.0"
    assert row(summary, "center/0") == "99 0 0 0 0.0 6.0"
    assert row(summary, "worker → center.exchange") == "16 15 1 superseded 7.5 3.0"


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


def test_a_run_whose_messages_add_up_says_nothing_of_it(summary: Summary) -> None:
    assert summary.traffic.unaccounted == 0
    assert "unaccounted" not in text(summary)


amounts = st.integers(0, 1000)
traffics = st.builds(
    Traffic,
    amounts,
    amounts,
    st.dictionaries(st.sampled_from(["superseded", "expired", "dead"]), amounts),
    amounts,
    amounts,
    amounts,
)


@given(st.lists(traffics, max_size=5))
def test_adding_accounts_loses_nothing(parts: list[Traffic]) -> None:
    total = add(parts)

    assert total.unaccounted == sum(part.unaccounted for part in parts)
    assert total.bytes == sum(part.bytes for part in parts)
