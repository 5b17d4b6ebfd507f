"""Who is given up is named with its reason; the run goes on for the others, and exits 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.books import assert_accounted
from tests.chaos.conftest import Start
from tests.chaos.players import GATE
from tests.chaos.stage import (
    CENTER,
    ENDLESS,
    ENDS_IN,
    FAST,
    HERE,
    NEVER,
    SLACK,
    WORKERS,
    Agent,
    until,
)
from tether.runners.folder import final_state
from tether.runners.world import World

KILLED = "its process was killed by SIGKILL"
IN_TIME = ENDS_IN + SLACK
STEPS = 1500
FINITE = CENTER + WORKERS + f"steps = {STEPS}\n"


def assert_failed(agent: Agent, reason: str, within: float = IN_TIME) -> None:
    assert agent.end(within) == 1
    assert agent.summary["outcome"] == "failed"
    assert agent.summary["reason"].startswith(reason)
    assert reason in agent.said.read_text()
    assert agent.left() == []


def assert_finished(agent: Agent, *workers: str) -> None:
    """Check that these have made all their steps, whoever else was given up."""
    assert [agent.state(name)["t"] for name in workers] == [STEPS] * len(workers)
    assert_accounted(agent, unknown=1)


def test_processes_killed_while_they_import_are_started_again(up: Start, tmp_path: Path) -> None:
    agent = up(FINITE, env={GATE: str(tmp_path / "gate")})
    pids = {name: agent.member(name) for name in ("center-0", "worker-1")}

    agent.kill(*pids)
    until(lambda: all(agent.members().get(name, pids[name]) != pids[name] for name in pids))
    (tmp_path / "gate").touch()

    assert (agent.end(), agent.summary["outcome"]) == (0, "finished")
    assert_finished(agent, "worker/0", "worker/1")
    assert agent.left() == []


def test_a_process_killed_while_it_imports_ends_a_run_that_may_not_start_it_again(
    up: Start, tmp_path: Path
) -> None:
    agent = up(ENDLESS + NEVER, env={GATE: str(tmp_path / "never")})

    agent.kill("worker-1")

    assert_failed(agent, f"worker/1 died: {KILLED}; max_restarts is 0")


@pytest.mark.parametrize(
    ("rule", "code"), [(NEVER, 1), ('restart = "temporary"\n', 0)], ids=["given up", "temporary"]
)
def test_a_killed_process_that_may_not_come_back_lets_the_others_go_on(
    up: Start, rule: str, code: int
) -> None:
    agent = up(FAST + FINITE + '[odd]\nactor = "players:Worker"\ncenter = "@center"\n' + rule)
    agent.until_said("odd-0", "running")

    agent.kill("odd-0")

    assert agent.end() == code
    why = "max_restarts is 0" if code else "it is temporary"
    assert agent.summary["gave_up"] == {"odd/0": f"{KILLED}; {why}"}
    assert_finished(agent, "worker/0", "worker/1")
    assert agent.left() == []


def test_who_asked_a_process_that_is_given_up_is_told(up: Start) -> None:
    asker = '[asker]\nactor = "players:Asker"\ncenter = "@center"\ncount = 2\n'
    agent = up(CENTER + NEVER + asker)
    agent.until_said("center-0", "waiting")

    agent.kill("center-0")

    assert_failed(agent, f"center/0 was given up: {KILLED}; max_restarts is 0")
    told = f"center/0 is gone: {KILLED}; what became of Center.wait is unknown"
    assert [agent.state(f"asker/{k}")["seen"] for k in range(2)] == [told, told]


def test_nobody_hangs_when_the_center_is_given_up(up: Start) -> None:
    agent = up(CENTER + NEVER + WORKERS + NEVER)
    for name in ("worker-0", "worker-1"):
        agent.until_said(name, "running")

    agent.kill("center-0")

    assert_failed(agent, f"center/0 was given up: {KILLED}; max_restarts is 0")
    gone = f"ActorGone: center/0 is gone: {KILLED}"
    for name in ("worker/0", "worker/1"):
        assert agent.summary["gave_up"][name].startswith(gone)
    assert_accounted(agent, unknown=2)


@pytest.mark.parametrize(
    ("actor", "why"),
    [
        ("Doomed", "ValueError: x̃ has 3 numbers that are not finite"),
        ("Brittle", "its process exited with code 3"),
    ],
)
def test_a_center_that_always_crashes_is_given_up_and_nobody_hangs(
    up: Start, actor: str, why: str
) -> None:
    limit = "max_restarts = 2\n"
    center = f'[center]\nactor = "troubled:{actor}"\n'
    agent = up(FAST + center + limit + WORKERS + limit)

    reason = f"center/0 was given up: {why}; 2 restarts in 60 s were not enough"
    assert_failed(agent, reason, within=IN_TIME + SLACK)

    assert sorted(agent.summary["gave_up"]) == ["center/0", "worker/0", "worker/1"]
    assert_accounted(agent, unknown=6)


def test_a_process_killed_while_mailboxes_drain_ends_the_run(up: Start) -> None:
    agent = up(CENTER + '[leaver]\nactor = "players:Leaver"\ncenter = "@center"\n')
    agent.until_said("center-0", "waiting")

    agent.kill("center-0")

    assert_failed(agent, f"center/0 died: {KILLED}")


def test_a_process_killed_after_its_life_has_ended_is_given_up(up: Start) -> None:
    agent = up(FINITE + '[brief]\nactor = "players:Witness"\n' + NEVER)
    agent.until_said("worker-0", "running")

    agent.kill("brief-0")

    assert_failed(agent, f"brief/0 was given up: {KILLED}; max_restarts is 0")
    assert_finished(agent, "worker/0", "worker/1")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("players:Failing", "ValueError: the data are gone"),
        ("players:Quitter", "its process exited with code 3"),
    ],
    ids=["run", "exit"],
)
def test_a_crash_loop_is_given_up_with_its_reason_and_the_others_finish(
    up: Start, table: str, why: str
) -> None:
    agent = up(f'{FINITE}[odd]\nactor = "{table}"\nmax_restarts = 2\n')

    assert_failed(agent, f"odd/0 was given up: {why}", within=IN_TIME + SLACK)

    assert agent.summary["gave_up"]["odd/0"].endswith("; 2 restarts in 60 s were not enough")
    assert [back["incarnation"] for back in agent.summary["restarts"]] == [2, 3]
    assert_finished(agent, "worker/0", "worker/1")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            'actor = "players:Unbuildable"',
            "odd/0 could not be made: ValueError: tau is 0, which never exchanges",
        ),
        (
            'actor = "players:Given"\nparts = { make = "players:no_parts" }',
            "odd/0 could not be made: OSError: the shards are not mounted",
        ),
    ],
    ids=["constructor", "factory"],
)
def test_an_actor_that_cannot_be_made_ends_the_run_with_its_name(
    up: Start, table: str, reason: str
) -> None:
    agent = up(f"{ENDLESS}[odd]\n{table}\n")

    assert_failed(agent, reason, within=IN_TIME + SLACK)


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
