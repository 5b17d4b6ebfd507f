"""What takes minutes: kills and interrupts by the dozen. `make soak` runs it."""

from __future__ import annotations

import os
import signal
import time
from random import Random

import pytest

from tests.chaos.conftest import Start
from tests.chaos.stage import ENDLESS, ENDS_IN, SLACK
from tests.chaos.test_interrupt import assert_interrupted, interrupt_at, moments

pytestmark = pytest.mark.soak
IN_TIME = ENDS_IN + SLACK
PROCESSES = ("center-0", "worker-0", "worker-1")


@pytest.mark.parametrize("seed", range(100, 120))
def test_interrupts_at_random_moments_leave_nothing(up: Start, seed: int) -> None:
    drawn = moments(seed, 5)
    agents = [up(ENDLESS) for _ in drawn]

    interrupt_at(agents, drawn)

    for agent in agents:
        assert_interrupted(agent)
        assert agent.left() == []


@pytest.mark.parametrize("seed", range(60))
def test_whoever_is_killed_whenever_is_named_and_nobody_hangs(up: Start, seed: int) -> None:
    random, agent = Random(seed), up(ENDLESS)
    name, moment = random.choice(PROCESSES), random.uniform(0.0, 0.5)
    pid = agent.member(name)
    agent.until_said("worker-0", "running")

    time.sleep(moment)  # when it happens is what is tried
    os.kill(pid, signal.SIGKILL)

    assert agent.end(IN_TIME) == 1
    assert f"{name.replace('-', '/')} died" in agent.summary["reason"]
    assert agent.left() == []
