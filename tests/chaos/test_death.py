"""Who dies or fails ends the run within seconds, with its name and reason, and no one hangs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.chaos.conftest import Start
from tests.chaos.players import GATE
from tests.chaos.stage import CENTER, ENDLESS, ENDS_IN, HERE, SLACK, Agent, until
from tether.runners.folder import final_state
from tether.runners.world import World

KILLED = "its process was killed by SIGKILL"
IN_TIME = ENDS_IN + SLACK


def assert_failed(agent: Agent, reason: str) -> None:
    assert agent.end(IN_TIME) == 1
    assert agent.summary["outcome"] == "failed"
    assert agent.summary["reason"].startswith(reason)
    assert reason in agent.said.read_text()
    assert agent.left() == []


@pytest.mark.parametrize("victim", ["center/0", "worker/1"])
def test_a_process_killed_while_it_imports_ends_the_run(
    up: Start, tmp_path: Path, victim: str
) -> None:
    agent = up(ENDLESS, env={GATE: str(tmp_path / "never")})
    pids = [agent.member(name) for name in ("center-0", "worker-0", "worker-1")]

    os.kill(pids[0 if victim == "center/0" else 2], signal.SIGKILL)

    assert_failed(agent, f"{victim} died: {KILLED}")


@pytest.mark.parametrize("victim", ["center/0", "worker/1"])
def test_a_process_killed_while_it_exchanges_ends_the_run(up: Start, victim: str) -> None:
    agent = up(ENDLESS)
    for name in ("worker-0", "worker-1"):
        agent.until_said(name, "running")

    os.kill(agent.member(victim.replace("/", "-")), signal.SIGKILL)

    assert_failed(agent, f"{victim} died: {KILLED}")
    assert agent.state("worker/0")["t"] >= 3
    kept = {path.stem for path in (agent.run / "state").iterdir()}
    assert kept == {"center-0", "worker-0", "worker-1"} - {victim.replace("/", "-")}


def test_who_asked_a_process_that_dies_is_told(up: Start) -> None:
    agent = up(CENTER + '[asker]\nactor = "players:Asker"\ncenter = "@center"\ncount = 2\n')
    agent.until_said("center-0", "waiting")

    os.kill(agent.member("center-0"), signal.SIGKILL)

    assert_failed(agent, f"center/0 died: {KILLED}")
    told = f"center/0 is gone: {KILLED}; what became of Center.wait is unknown"
    assert [agent.state(f"asker/{k}")["seen"] for k in range(2)] == [told, told]


def test_a_process_killed_while_mailboxes_drain_ends_the_run(up: Start) -> None:
    agent = up(CENTER + '[leaver]\nactor = "players:Leaver"\ncenter = "@center"\n')
    agent.until_said("center-0", "waiting")

    os.kill(agent.member("center-0"), signal.SIGKILL)

    assert_failed(agent, f"center/0 died: {KILLED}")


def test_a_process_killed_after_its_life_has_ended_ends_the_run(up: Start) -> None:
    wiring = ENDLESS + '[brief]\nactor = "players:Witness"\n'
    agent = up(wiring)
    agent.until_said("worker-0", "running")

    os.kill(agent.member("brief-0"), signal.SIGKILL)

    assert_failed(agent, f"brief/0 died: {KILLED}")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ('actor = "players:Failing"', "odd/0 failed: ValueError: the data are gone"),
        (
            'actor = "players:Quitter"',
            "odd/0 failed: SystemExit: 3; odd/0 died: its process exited with code 3",
        ),
        (
            'actor = "players:Unbuildable"',
            "odd/0 could not be made: ValueError: tau is 0, which never exchanges",
        ),
        (
            'actor = "players:Given"\nparts = { make = "players:no_parts" }',
            "odd/0 could not be made: OSError: the shards are not mounted",
        ),
        (
            'actor = "players:Misnamer"',
            "odd/0 failed: ValueError: report: actor is a field of every record",
        ),
    ],
    ids=["run", "exit", "constructor", "factory", "metric"],
)
def test_an_actor_that_fails_ends_the_run_with_its_name(up: Start, table: str, reason: str) -> None:
    agent = up(f"{ENDLESS}[odd]\n{table}\n")

    until(lambda: agent.process.poll() is not None)

    assert_failed(agent, reason)


def test_a_handler_that_raises_tells_its_caller_and_lives_on(up: Start) -> None:
    agent = up(CENTER + '[patient]\nactor = "players:Patient"\ncenter = "@center"\n')

    code = agent.end()

    assert code == 0
    where = "in center/0, Center.fail, called by patient/0"
    assert agent.state("patient/0")["seen"] == f"the center has no such number; {where}"
    assert agent.state("center/0")["n"] == 1


def test_a_state_the_disk_has_no_room_for_ends_the_run_with_its_reason(up: Start) -> None:
    agent = up('[heavy]\nactor = "players:Heavy"\n' + CENTER)

    until(lambda: agent.process.poll() is not None)

    assert_failed(agent, "the state of heavy/0 could not be saved: OSError: [Errno 27]")
    assert [path.name for path in (agent.run / "state").iterdir()] == ["center-0.safetensors"]


async def test_a_vector_that_is_not_a_number_is_refused_and_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    (tmp_path / "wiring.toml").write_text(POISONED)
    run = tmp_path / "run"

    async with World(tmp_path / "wiring.toml", "processes", folder=run) as world:
        await world.finished()

    told = "the elastic difference α(x − x̃) has 1 of 4 numbers NaN or infinite"
    where = "in center/0, Center.exchange, called by poisoner/0"
    assert final_state(run, "poisoner") == {"seen": f"{told}; {where}"}
    assert final_state(run, "center")["x"].tolist() == [0.0] * 4


POISONED = """
[center]
actor = "tether.protocols.easgd:Center"
x     = { make = "learned:zeros", n = 4 }
alpha = 0.5

[poisoner]
actor  = "learned:Poisoner"
center = "@center"
n      = 4
"""
