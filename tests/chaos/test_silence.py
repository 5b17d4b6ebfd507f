"""Who is silent is not dead: the others go on, or wait for it, and nothing is lost."""

from __future__ import annotations

import os
import re
import signal
from inspect import getsourcelines

from tests.chaos import players
from tests.chaos.books import assert_accounted, assert_sums
from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, FAST, SLACK, WORKERS, Agent

STEPS = 1500
WATCHED = FAST + '[center]\nactor = "troubled:Watchful"\n' + WORKERS
NAMED_IN = 3.0
"""Seconds in which a ring of handlers is to be named."""


def steps(agent: Agent, actor: str) -> int:
    """Return the last step that an actor has reported."""
    metrics = agent.run / "metrics.jsonl"
    text = metrics.read_text() if metrics.exists() else ""
    found = re.findall(rf'"actor": "{actor}", "step": (\d+)', text)
    return int(found[-1]) if found else 0


def test_a_stopped_worker_delays_nobody_and_is_told_of_as_unreachable(up: Start) -> None:
    agent = up(WATCHED + f"pause = 0.003\nsteps = {STEPS}\n")
    agent.until_said("worker-0", "running")
    agent.until_said("worker-1", "running")
    stopped = agent.member("worker-1")

    os.kill(stopped, signal.SIGSTOP)
    agent.until_said("worker-0", f"ends at {STEPS}")
    agent.until_told("worker/1 is unreachable: nothing was heard of its process for ")
    agent.until_said("center-0", "Unreachable: worker/1 is unreachable: nothing was heard of")
    reached = steps(agent, "worker/1")
    os.kill(stopped, signal.SIGCONT)

    assert (agent.end(), agent.summary["restarts"]) == (0, [])
    assert reached < STEPS
    assert "worker/1 is no longer unreachable" in agent.said.read_text()
    assert_accounted(agent, unknown=0)
    assert_sums(agent, STEPS)
    assert agent.left() == []


def test_a_stopped_center_delays_all_and_nothing_is_lost(up: Start) -> None:
    agent = up(FAST + CENTER + WORKERS + f"pause = 0.003\nsteps = {STEPS}\n")
    agent.until_said("worker-0", "running")
    agent.until_said("worker-1", "running")
    stopped = agent.member("center-0")

    os.kill(stopped, signal.SIGSTOP)
    agent.until_told("center/0 is unreachable: nothing was heard of its process for ")
    waits = "ends at" not in agent.log("worker-0") + agent.log("worker-1")
    os.kill(stopped, signal.SIGCONT)

    assert (agent.end(), agent.summary["restarts"]) == (0, [])
    assert waits
    assert "center/0 is no longer unreachable" in agent.said.read_text()
    assert_accounted(agent, unknown=0)
    assert_sums(agent, STEPS)
    assert agent.state("center/0")["n"] == agent.totals.traffic.sent == 2 * STEPS
    assert agent.left() == []


def test_what_blocks_a_loop_is_named_and_nobody_is_killed(up: Start) -> None:
    blocker = '[blocker]\nactor = "players:Blocker"\ncenter = "@center"\nseconds = 2\n'
    agent = up(FAST + CENTER + WORKERS + f"steps = {STEPS}\n" + blocker)
    line = getsourcelines(players.busy)[1] + 2
    held = rf"center/0: Center.block has held the event loop for [\d.]+ s, at players.py:{line}"

    agent.until_told("center/0 is hung: Center.block has held the event loop for ")

    assert (agent.end(), agent.summary["restarts"]) == (0, [])
    (stall,) = [stall for stall in agent.totals.stalls if "Center.block" in stall.text]
    assert re.fullmatch(held, stall.text)
    assert stall.seconds > 1.5
    assert re.search(held, agent.log("center-0"))
    assert re.search(held, agent.said.read_text())
    assert "center/0 is no longer hung" in agent.said.read_text()
    assert agent.state("center/0")["n"] == 2 * STEPS + 1
    assert_accounted(agent, unknown=0)


def test_handlers_that_wait_for_each_other_are_named_and_the_run_goes_on(up: Start) -> None:
    crossers = (
        '[left]\nactor = "troubled:Crosser"\nother = "@right"\n'
        '[right]\nactor = "troubled:Crosser"\nother = "@left"\n'
        '[starter]\nactor = "troubled:Starter"\nboth = ["@left", "@right"]\n'
    )
    agent = up(FAST + crossers)

    code = agent.end()

    seen = agent.state("starter/0")
    print(f"named after {seen['seconds']:.2f} s")
    ring = "left/0.Crosser.meet → right/0.Crosser.meet → left/0.Crosser.meet"
    assert (code, agent.summary["restarts"]) == (0, [])
    assert seen["seen"] == f"handlers wait for each other in a ring: {ring}"
    assert seen["seconds"] < NAMED_IN + SLACK
    assert seen["answers"] == ["here"] * 3
    assert_accounted(agent, unknown=0)
    assert agent.totals.traffic.dropped == {"cycle": 1}
    assert agent.left() == []
