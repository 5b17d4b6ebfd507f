"""The last page of a run adds up, survives its file, and can be read in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.records import account, of_two_workers, printed, worker
from tether.runners.restart import Restart
from tether.runners.summary import (
    Change,
    Queue,
    Stall,
    Summary,
    Traffic,
    add,
    read_summary,
    render,
    summarise,
)


@pytest.fixture
def summary() -> Summary:
    return of_two_workers()


def text(summary: Summary, width: int = 120) -> str:
    return printed(render(summary), width)


def test_what_an_actor_was_sent_is_what_the_others_sent_to_it(summary: Summary) -> None:
    center, first, _ = summary.actors

    assert (center.name, center.bytes_in, center.traffic) == ("center/0", 6_000_000, Traffic())
    assert (first.bytes_in, first.traffic.bytes) == (0, 4_000_000)


def test_messages_of_one_kind_between_two_tables_are_one_edge(summary: Summary) -> None:
    (edge,) = summary.edges

    assert edge.title == "worker → center.exchange"
    assert (edge.traffic.sent, edge.traffic.handled) == (16, 15)
    assert edge.traffic.dropped == {"superseded": 1}


def test_what_codecs_saved_and_cost_is_added_up_by_size(tmp_path: Path) -> None:
    one, other = account("center/0"), account("center/0")
    one["compressed"] = {"raw": 3000, "packed": 1500, "error": 30.0}
    other["compressed"] = {"raw": 1000, "packed": 250, "error": 50.0}

    summary = summarise("finished", [worker(0, one), worker(1, other)], seconds=1.0)
    summary.write(tmp_path)

    traffic = summary.edges[0].traffic
    assert (traffic.raw, traffic.packed, traffic.relative_error) == (4000, 1750, 0.02)
    assert read_summary(tmp_path) == summary
    assert Traffic().relative_error == 0.0


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


def test_what_befell_a_run_is_read_back(tmp_path: Path) -> None:
    summary = summarise(
        "failed",
        [worker(0), worker(1)],
        seconds=2.0,
        restarts=[Restart(1.0, "worker/1", 2, "killed", 0.1, "worker-1.3.safetensors", 120, 14, 9)],
        gave_up={"worker/0": "3 restarts in 60 s were not enough"},
        stalls=[Stall("worker/0: run() has held the event loop for 1.5 s", 1.5)],
        membership=[Change(0.5, "worker/1", "joined")],
        peaks={"worker/1": Queue(31, 2)},
    )

    summary.write(tmp_path)

    assert read_summary(tmp_path) == summary
    first, second = summary.actors
    assert (first.restarts, first.queue, first.held) == (0, 0, 0)
    assert (second.restarts, second.queue, second.held) == (1, 31, 2)


def test_a_summary_of_an_older_version_can_be_read(summary: Summary, tmp_path: Path) -> None:
    path = summary.write(tmp_path)
    fields = json.loads(path.read_text())
    for new in ("restarts", "gave_up", "stalls", "membership"):
        del fields[new]
    for actor in fields["actors"]:
        for new in ("queue", "held", "restarts"):
            del actor[new]
    path.write_text(json.dumps(fields))

    assert read_summary(tmp_path) == summary


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a/0: A.f has held the event loop for 12.5 s, at a.py:7", "a/0: A.f, at a.py:7"),
        ("something has held the event loop for 2.0 s", "something"),
        ("a/0 was busy", "a/0 was busy"),
    ],
)
def test_a_stall_is_the_same_however_long_it_takes(text: str, what: str) -> None:
    assert Stall(text, 2.0).what == what


def test_a_run_that_has_not_ended_has_no_summary(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"has no summary.json, which is written when a run"
    ):
        read_summary(tmp_path)


def test_the_tables_of_a_clean_run_fit_a_terminal_of_80_columns() -> None:
    record = worker(0, account("center/0", sent=9999, handled=9999, bytes=10**12), steps=10**6)

    shown = text(summarise("finished", [record], seconds=60.0), width=80)

    assert "1,000,000.0" in shown
    assert "…" not in shown


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
