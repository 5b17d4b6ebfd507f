"""What a run leaves in its directory, and what is refused before there is one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, ENDLESS, HERE, WORKERS
from tether.actors.checkpoint import About, Checkpoints
from tether.actors.state import pieces
from tether.runners.environment import VISIBLE
from tether.runners.folder import RunFolder, state_name
from tether.runners.launch import finish, keep_wiring, opened, options, refuse_hosts
from tether.runners.linker import link
from tether.runners.problems import WiringError
from tether.runners.result import Start as Resumed
from tether.runners.spec import Plan

REPORTER = '[reporter]\nactor = "players:Reporter"\n'
TALKERS = (
    '[talker]\nactor = "players:Talker"\nword = "Ann"\n'
    '[other]\nactor = "players:Talker"\nword = "Bob"\nbeside = "talker"\n'
)
ON_GPUS = '[witness]\nactor = "players:Witness"\non = ["gpu0", "gpu1"]\n'


class Idle:
    async def run(self) -> None: ...


def test_a_run_leaves_all_that_tells_of_it(up: Start) -> None:
    agent = up(REPORTER + CENTER)

    code = agent.end()

    assert code == 0
    names = {str(path.relative_to(agent.run)) for path in agent.run.rglob("*") if path.is_file()}
    assert names == {
        "incarnations.json",
        "logs/center-0.log",
        "logs/reporter-0.log",
        "metrics.jsonl",
        "plan.json",
        "plot.png",
        "state/center-0.safetensors",
        "summary.json",
        "wiring.toml",
    }
    assert (agent.run / "wiring.toml").read_text() == REPORTER + CENTER
    assert len((agent.run / "metrics.jsonl").read_text().splitlines()) == 4
    assert (agent.run / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "finished after" in agent.said.read_text()


def test_each_actor_has_a_log_though_many_share_a_process(up: Start) -> None:
    agent = up(TALKERS)

    code = agent.end()

    assert code == 0
    for table, word in (("talker", "Ann"), ("other", "Bob")):
        lines = [f"{word} is made", f"{word} runs", f"{word} complains", f"{word} ends in the"]
        assert all(line in agent.log(f"{table}-0") for line in lines)
        assert ("Bob" if word == "Ann" else "Ann") not in agent.log(f"{table}-0")


def test_a_run_that_cannot_keep_its_wiring_starts_nothing(up: Start) -> None:
    agent = up(CENTER, "--run", os.devnull)

    assert agent.end() == 2
    assert agent.left() == []


def test_a_gpu_is_made_the_only_one_its_process_sees(up: Start) -> None:
    agent = up(ON_GPUS, env={VISIBLE: "6,7"})

    code = agent.end()

    assert code == 0
    seen = [agent.state(f"witness/{k}") for k in range(2)]
    assert [state["gpus"] for state in seen] == ["6", "7"]
    assert [state["loaded"] for state in seen] == [[], []]
    assert {state["threads"] for state in seen} == {"1"}


def test_a_gpu_that_is_not_there_is_a_fault_of_the_wiring(up: Start) -> None:
    agent = up(ON_GPUS, env={VISIBLE: "6"})

    code = agent.end()

    assert code == 2
    told = "[witness] on: gpu1 of this machine is wanted, but it has 1 GPUs"
    assert told in agent.said.read_text()
    assert not agent.run.exists()


def test_a_file_for_gpus_runs_on_the_cpu_when_told_to(up: Start) -> None:
    agent = up('[run]\ndevice = "cpu"\n' + ON_GPUS, env={VISIBLE: ""})

    code = agent.end()

    assert code == 0
    assert agent.state("witness/1")["gpus"] == ""


def test_a_file_for_several_hosts_is_refused_where_only_one_can_be_had() -> None:
    hosts = {"a": "10.0.0.1:5700", "b": "10.0.0.2:5700"}
    tables = {"hosts": hosts, "idle": {"actor": Idle, "on": ["a", "b"]}}
    plan = link(tables, Path(), name="x", importable=False)

    with pytest.raises(WiringError, match="a, b are several, but a World runs on one; tether up"):
        refuse_hosts(plan)


def test_the_wiring_is_kept_with_what_was_set_and_what_came_of_it(
    tmp_path: Path, players: Path
) -> None:
    wiring = tmp_path / "wiring.toml"
    wiring.write_text(CENTER)
    run = tmp_path / "run"
    run.mkdir()
    plan = link({"center": {"actor": "players:Center"}}, players, name="x")

    keep_wiring(run, wiring, ["center.count=1"], plan)

    text = (run / "wiring.toml").read_text()
    assert text == f"# run with --set center.count=1\n{CENTER}"
    kept = json.loads((run / "plan.json").read_text())
    assert kept["actors"][0]["name"] == "center/0"


def test_a_run_without_a_summary_is_finished_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(tmp_path, Console())

    assert "has no summary.json, which is written when a run ends" in capsys.readouterr().err


@pytest.fixture
def before(tmp_path: Path) -> RunFolder:
    """Return the folder of a run that has ended after 12 s, with one round of checkpoints."""
    run = RunFolder.create("before", tmp_path / "before")
    (run.path / "plan.json").write_text("{}")
    (run.path / "metrics.jsonl").write_text('{"t": 12.5, "actor": "worker/0", "step": 1}\n')
    run.remember({"center/0": 2, "worker/0": 4})
    for actor, cls in (("center/0", "players:Center"), ("worker/0", "players:Worker")):
        Checkpoints(run.checkpoints).write(About(actor, cls, 1, 7), {"n": 5, "t": 5})
    return run


def planned(players: Path) -> Plan:
    tables = {
        "center": {"actor": "players:Center"},
        "worker": {"actor": "players:Worker", "center": "@center"},
    }
    return link(tables, players, name="x")


def test_a_run_that_is_not_resumed_has_a_new_folder_and_begins_at_zero(
    tmp_path: Path, players: Path
) -> None:
    folder, start, notes = opened(planned(players), tmp_path / "run", None)

    assert (folder.path, start, notes) == (tmp_path / "run", Resumed(), ())


def test_a_resumed_run_goes_on_in_its_folder_with_its_times_and_incarnations(
    before: RunFolder, players: Path
) -> None:
    folder, start, notes = opened(planned(players), None, before.path)

    assert folder.path == before.path
    assert start.incarnations == {"center/0": 2, "worker/0": 4}
    assert start.restore == {"center/0": [7], "worker/0": [7]}
    assert (tuple(start.alone), start.round, start.seconds) == ((), 7, 12.5)
    assert list(notes) == [f"resumed from {before.path}, round 7"]


def test_a_run_may_be_resumed_in_another_folder_and_leaves_the_first_as_it_was(
    before: RunFolder, players: Path, tmp_path: Path
) -> None:
    there = sorted(path.name for path in before.path.rglob("*"))

    folder, start, _ = opened(planned(players), tmp_path / "run", before.path)

    assert folder.path == tmp_path / "run"
    assert folder.checkpoints.names() == ["center-0.7.safetensors", "worker-0.7.safetensors"]
    assert start.incarnations == {"center/0": 2, "worker/0": 4}
    assert start.seconds == 0.0
    assert sorted(path.name for path in before.path.rglob("*")) == there


def test_a_resumed_run_is_not_put_into_a_folder_that_holds_something(
    before: RunFolder, players: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileExistsError, match="is not empty, but a run wants a folder of its own"):
        opened(planned(players), tmp_path, before.path)


def test_a_resumed_run_goes_on_from_the_state_it_ended_with(
    before: RunFolder, players: Path
) -> None:
    for actor, cls in (("center/0", "players:Center"), ("worker/0", "players:Worker")):
        about = About(actor, cls, 1, 8)
        before.states.write(state_name(actor), pieces({"n": 9, "t": 9}, about.metadata))

    folder, start, _ = opened(planned(players), None, before.path)

    assert (start.restore["center/0"], start.round) == ([8], 8)
    assert "center-0.8.safetensors" in folder.checkpoints.names()


def test_a_full_disk_ends_the_run_with_its_reason(up: Start, tmp_path: Path) -> None:
    chatty = '[reporter]\nactor = "players:Reporter"\nsteps = 100000\n'
    (tmp_path / "sitecustomize.py").write_text(SMALL_DISK)
    agent = up(chatty + ENDLESS, env={"PYTHONPATH": f"{tmp_path}:{HERE}"})

    code = agent.end()

    assert code == 1
    assert "could not be kept: OSError: [Errno 27] File too large" in agent.said.read_text()
    assert agent.left() == []
    assert WORKERS in agent.run.joinpath("wiring.toml").read_text()


SMALL_DISK = """
import resource

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
"""
"""Has the system refuse files of more than 100 KB, as a full disk does."""


def test_a_run_that_cannot_be_resumed_leaves_no_folder_behind(
    tmp_path: Path, before: RunFolder, players: Path
) -> None:
    for name in before.checkpoints.names():
        before.checkpoints.write(name, [b"cut short"])

    with pytest.raises(WiringError, match="has no good checkpoint"):
        opened(planned(players), tmp_path / "run", before.path)

    assert not (tmp_path / "run").exists()


def test_the_agents_of_other_hosts_are_started_with_what_concerns_them() -> None:
    sets = ["worker.tau=2", "run.seed=1"]

    keys, always = Path("keys"), ["--keys", "keys"]

    assert options(sets, None, None, keys) == [
        *always, "--set", "worker.tau=2", "--set", "run.seed=1"
    ]  # fmt: skip
    assert options([], Path("runs/x"), Path("runs/y"), keys) == [*always, "--run", "runs/x"]
    assert options([], None, Path("runs/y"), keys) == [*always, "--run", "runs/y"]
