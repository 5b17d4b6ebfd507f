"""`tether up` from its plan to its summary, on this machine."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, ENDLESS, WORKERS
from tether.runners.addresses import Addresses
from tether.runners.conductor import Conductor
from tether.runners.folder import RunFolder
from tether.runners.linker import link
from tether.runners.members import Child
from tether.runners.silence import Silence
from tether.runners.up import Up, children, conducted, obeyed_signals


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


def test_each_process_gets_its_share_its_log_and_its_environment(
    tmp_path: Path, players: Path
) -> None:
    tables = {
        "center": {"actor": "players:Center"},
        "worker": {"actor": "players:Worker", "center": "@center", "beside": "center", "count": 2},
        "parent": {"actor": "players:Parent", "threads": 2},
    }
    plan = link(tables, players, name="x")

    make = children(plan, RunFolder(tmp_path), Addresses(), "run")

    made = [make(name) for name in plan.processes()]

    assert [member.name for member in made] == ["center-0", "parent-0"]
    assert all(isinstance(member, Child) and member.box is None for member in made)


async def test_a_run_that_ends_by_itself_leaves_its_records(tmp_path: Path, players: Path) -> None:
    plan = link({"reporter": {"actor": "players:Reporter"}}, players, name="x")
    folder, show = RunFolder.create("x", tmp_path / "run"), Showing()

    result = await Up(plan, folder, show).run()

    assert (result.outcome, result.reason, result.problems) == ("finished", "", [])
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"incarnations.json", "logs", "metrics.jsonl", "summary.json"}
    assert folder.incarnations() == {"reporter/0": 1}
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
    assert not (folder.path / "agent.json").exists()


async def test_what_is_unforeseen_ends_the_processes_too(tmp_path: Path, players: Path) -> None:
    plan = link({"parent": {"actor": "players:Parent"}}, players, name="x")
    folder = RunFolder.create("x", tmp_path / "run")
    make = children(plan, folder, Addresses(), "run")
    folder.logs.rmdir()  # so that no process can be started

    with pytest.raises(FileNotFoundError):
        await conducted(Conductor(plan, make, Silence()), None)


async def test_signals_are_obeyed_inside_only(players: Path) -> None:
    plan = link({"parent": {"actor": "players:Parent"}}, players, name="x")
    conductor = Conductor(plan, children(plan, RunFolder(players), Addresses(), "run"), Silence())
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


def test_a_run_in_which_somebody_is_given_up_goes_on_and_ends_with_1(up: Start) -> None:
    failing = '[failing]\nactor = "players:Failing"\nmax_restarts = 1\n'
    agent = up(CENTER + WORKERS + "steps = 5\n" + failing)

    code = agent.end()

    why = "ValueError: the data are gone; 1 restart in 60 s was not enough"
    assert code == 1
    assert f"failing/0 was given up: {why}" in agent.said.read_text()
    assert agent.summary["outcome"] == "failed"
    assert agent.state("center") == {"n": 10}
