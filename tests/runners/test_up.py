"""`tether up` from its plan to its summary, on this machine."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, ENDLESS, WORKERS
from tether.runners.conductor import Conductor
from tether.runners.folder import RunFolder
from tether.runners.linker import link
from tether.runners.metrics import MetricsFile
from tether.runners.up import Recorder, Up, children, conducted, obeyed_signals
from tether.runners.world import Silence


class Showing(Silence):
    """An audience that remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, actor: str, pid: int) -> None:
        self.seen.append(f"{actor} started")

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        self.seen.append(f"{actor} at step {step}")

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002
        self.seen.append(f"{actor} sent {messages}")

    def ended(self, actor: str) -> None:
        self.seen.append(f"{actor} ended")


def test_what_is_reported_is_written_down_and_passed_on(tmp_path: Path) -> None:
    show = Showing()
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        recorder = Recorder(metrics, show)

        recorder.started("a/0", 1)
        recorder.reported("a/0", 0.5, 3, {"accuracy": 0.25})
        recorder.reported("a/0", 0.6, 4, {"loss": 1.0})
        recorder.traffic("a/0", 7, 100)
        recorder.ended("a/0")

    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {"t": 0.5, "actor": "a/0", "step": 3, "accuracy": 0.25}
    assert len(lines) == 2
    assert recorder.accuracy == 0.25
    assert show.seen == [
        "a/0 started",
        "a/0 at step 3",
        "a/0 at step 4",
        "a/0 sent 7",
        "a/0 ended",
    ]


def test_each_process_gets_its_share_its_log_and_its_environment(
    tmp_path: Path, players: Path
) -> None:
    tables = {
        "center": {"actor": "players:Center"},
        "worker": {"actor": "players:Worker", "center": "@center", "beside": "center", "count": 2},
        "parent": {"actor": "players:Parent", "threads": 2},
    }
    plan = link(tables, players, name="x")

    members = children(plan, RunFolder(tmp_path), {}, "run")

    found = {member.name: member.actors for member in members}
    assert found == {"center-0": ["center/0", "worker/0", "worker/1"], "parent-0": ["parent/0"]}


async def test_a_run_that_ends_by_itself_leaves_its_records(tmp_path: Path, players: Path) -> None:
    plan = link({"reporter": {"actor": "players:Reporter"}}, players, name="x")
    folder, show = RunFolder.create("x", tmp_path / "run"), Showing()

    result = await Up(plan, folder, show).run()

    assert (result.outcome, result.reason, result.problems) == ("finished", "", [])
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"logs", "metrics.jsonl", "summary.json"}
    summary = json.loads((folder.path / "summary.json").read_text())
    assert (summary["outcome"], summary["accuracy"]) == ("finished", 0.5)
    assert show.seen[0] == "reporter/0 started"
    assert [line for line in show.seen if "at step" in line] == [
        f"reporter/0 at step {t}" for t in (1, 2, 3, 4)
    ]


async def test_records_that_cannot_be_kept_fail_the_run(tmp_path: Path, players: Path) -> None:
    plan = link({"reporter": {"actor": "players:Reporter"}}, players, name="x")
    folder = RunFolder.create("x", tmp_path / "run")
    (folder.path / "summary.json.part").mkdir()

    result = await Up(plan, folder, Silence()).run()

    assert result.outcome == "failed"
    assert result.problems[0].startswith("the run's records could not be kept: [Errno 21]")
    assert folder.agent() is None


async def test_what_is_unforeseen_ends_the_processes_too(tmp_path: Path, players: Path) -> None:
    plan = link({"parent": {"actor": "players:Parent"}}, players, name="x")
    folder = RunFolder.create("x", tmp_path / "run")
    members = children(plan, folder, {}, "run")
    folder.logs.rmdir()  # so that no process can be started

    with pytest.raises(FileNotFoundError):
        await conducted(Conductor(plan, members, Silence()), None)


async def test_signals_are_obeyed_inside_only(players: Path) -> None:
    plan = link({"parent": {"actor": "players:Parent"}}, players, name="x")
    conductor = Conductor(plan, [], Silence())
    before = signal.getsignal(signal.SIGINT)

    with obeyed_signals(lambda: conductor):
        inside = signal.getsignal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        await conductor.wait()

    assert inside is not before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_run_ends_after_the_time_it_is_given(up: Start) -> None:
    agent = up(ENDLESS, "--for", "0.5s")

    code = agent.end()

    assert code == 0
    assert agent.summary["outcome"] == "stopped"
    assert agent.summary["seconds"] >= 0.5
    counted = sum(agent.state(f"worker/{k}")["t"] for k in range(2))
    assert counted <= agent.state("center")["n"] <= counted + 2  # exchanges the end cut short


def test_a_key_can_be_set_from_the_command_line(up: Start) -> None:
    agent = up(CENTER + WORKERS, "--set", "worker.steps=5", "--set", "worker.count=3")

    code = agent.end()

    assert code == 0
    assert agent.state("center") == {"n": 15}
    assert "# run with --set worker.steps=5" in (agent.run / "wiring.toml").read_text()
