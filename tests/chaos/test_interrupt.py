"""Ctrl-C and its kin, at any moment: all ends within seconds, and nothing is left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.chaos.books import assert_accounted
from tests.chaos.conftest import Start
from tests.chaos.players import GATE
from tests.chaos.stage import (
    CENTER,
    ENDLESS,
    ENDS_IN,
    FAST,
    OFTEN,
    SERVICE,
    SLACK,
    WORKERS,
    Agent,
    until,
)

IN_TIME = ENDS_IN + SLACK
PLOTTED = IN_TIME + SLACK
"""Seconds for a run that ends well, and looks for curves to draw then."""
INTERRUPTED = 130
TOO_EARLY = ("import the site module", "Could not import runpy module")
"""What Python says when it is interrupted before it has begun with anything of ours."""
LEARNING = (
    '[center]\nactor = "tether.protocols.easgd:Center"\nalpha = 0.5\n'
    'x = { make = "learned:zeros", n = 146 }\n'
    '[worker]\nactor = "tether.protocols.easgd:Worker"\ncenter = "@center"\ntau = 2\n'
    'steps = 1000000\nlearner = { make = "learned:small", seed = "$seed" }\n'
)
OUTER = ENDLESS + '[parent]\nactor = "players:Parent"\n'
"""A run in which somebody starts a process of his own."""


def moments(seed: int, count: int) -> list[tuple[float, bool]]:
    """Draw when to press Ctrl-C, and whether the whole group of the agent hears it."""
    random = Random(seed)
    return [(random.uniform(0.0, 4.0), random.random() < 0.5) for _ in range(count)]


def interrupt_at(agents: list[Agent], drawn: list[tuple[float, bool]]) -> None:
    """Interrupt each agent so long after the start of all."""
    begin = time.monotonic()
    for agent, (moment, group) in sorted(zip(agents, drawn, strict=True), key=lambda both: both[1]):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        agent.signal(signal.SIGINT, group=group)


def assert_interrupted(agent: Agent) -> None:
    """Check the exit code; Python has codes of its own before it runs any of our code."""
    code, said = agent.end(IN_TIME), agent.said.read_text()
    pythons = code == -signal.SIGINT or (code == 1 and any(text in said for text in TOO_EARLY))
    assert code == INTERRUPTED or pythons, said


@pytest.mark.parametrize("seed", range(2))
def test_an_interrupt_at_a_random_moment_leaves_nothing(up: Start, seed: int) -> None:
    drawn = moments(seed, 4)
    agents = [up(ENDLESS) for _ in drawn]

    interrupt_at(agents, drawn)

    for agent in agents:
        assert_interrupted(agent)
        assert agent.left() == []


@pytest.mark.parametrize("seed", [4])
def test_an_interrupt_while_torch_is_imported_or_learning_leaves_nothing(
    up: Start, seed: int
) -> None:
    drawn = moments(seed, 2)
    agents = [up(LEARNING) for _ in drawn]

    interrupt_at(agents, drawn)

    for agent in agents:
        assert_interrupted(agent)
        assert agent.left() == []


@pytest.mark.parametrize("seed", [5, 6])
def test_an_interrupt_while_the_killed_come_back_leaves_nothing(up: Start, seed: int) -> None:
    random = Random(seed)
    agents = [up(FAST + CENTER + OFTEN + WORKERS + OFTEN) for _ in range(2)]
    for agent in agents:
        agent.until_said("worker-0", "running")
        agent.until_said("worker-1", "running")

    for agent in agents:
        agent.kill(*random.sample(["center-0", "worker-0", "worker-1"], random.randint(1, 3)))
    interrupt_at(agents, [(random.uniform(0.0, 0.6), random.random() < 0.5) for _ in agents])

    for agent in agents:
        assert_interrupted(agent)
        assert agent.summary["outcome"] == "interrupted"
        assert_accounted(agent, unknown=6)
        assert agent.left() == []


def test_an_interrupted_run_keeps_its_states_and_says_so(up: Start) -> None:
    agent = up(ENDLESS)
    agent.until_said("worker-0", "running")

    agent.signal(signal.SIGINT, group=True)

    assert agent.end(IN_TIME) == INTERRUPTED
    assert agent.summary["outcome"] == "interrupted"
    assert agent.summary["reason"] == ""
    assert agent.state("center/0")["n"] >= 3
    assert agent.left() == []


def test_an_interrupt_while_the_processes_import_ends_the_run(up: Start, tmp_path: Path) -> None:
    agent = up(ENDLESS, env={GATE: str(tmp_path / "never")})
    agent.member("worker-1")

    agent.signal(signal.SIGINT)

    assert agent.end(IN_TIME) == INTERRUPTED
    assert agent.summary["outcome"] == "interrupted"
    assert agent.left() == []


def test_a_second_interrupt_ends_a_run_whose_actors_do_not_listen(up: Start) -> None:
    patient = "[run]\ngraceful = 600\ndrain = 600\n"
    blocker = '[blocker]\nactor = "players:Blocker"\ncenter = "@center"\n'
    agent = up(patient + CENTER + blocker + SERVICE)
    agent.until_said("center-0", "blocking")

    agent.signal(signal.SIGINT)
    agent.until_said("service-0", "relieved")
    agent.signal(signal.SIGINT)

    assert agent.end(IN_TIME) == INTERRUPTED
    assert agent.left() == []


def test_a_terminated_run_ends_in_good_order(up: Start) -> None:
    agent = up(OUTER)
    agent.until_said("worker-1", "running")

    agent.signal(signal.SIGTERM)

    assert agent.end(PLOTTED) == 0
    assert agent.summary["outcome"] == "stopped"
    assert agent.state("center/0")["n"] >= 3
    assert agent.left() == []


def test_a_run_terminated_before_it_begins_is_interrupted(up: Start, tmp_path: Path) -> None:
    agent = up('[odd]\nactor = "stuck:Actor"\n', env={"PYTHONPATH": str(tmp_path)})
    pressed = tmp_path / "imported"
    (tmp_path / "stuck.py").write_text(
        f"import pathlib, time\npathlib.Path({str(pressed)!r}).touch()\ntime.sleep(60)\n"
    )
    until(pressed.exists)

    agent.signal(signal.SIGTERM)

    assert agent.end(IN_TIME) == INTERRUPTED
    assert agent.left() == []


def test_tether_stop_ends_a_run_in_good_order(up: Start) -> None:
    agent = up(ENDLESS)
    agent.until_said("worker-1", "running")

    done = subprocess.run(
        [sys.executable, "-m", "tether.runners", "stop", str(agent.run)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (0, f"{agent.run} has ended\n")
    assert agent.end(PLOTTED) == 0
    assert agent.summary["outcome"] == "stopped"
    assert agent.left() == []


@pytest.mark.parametrize("importing", [True, False], ids=["importing", "running"])
def test_all_die_with_a_killed_agent(up: Start, tmp_path: Path, importing: bool) -> None:
    agent = up(OUTER, env={GATE: str(tmp_path / "never")} if importing else {})
    if importing:
        agent.member("parent-0")
    else:
        agent.until_said("parent-0", "started")
        agent.until_said("worker-1", "running")

    agent.signal(signal.SIGKILL)

    assert agent.end() == -signal.SIGKILL
    agent.until_nothing_is_left()
