"""Two hundred deaths in one run of eight minutes, and no message, process or descriptor lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random
from statistics import median

import psutil
import pytest

from tests.chaos.books import assert_accounted
from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, FAST, OFTEN, WORKERS, Agent

pytestmark = pytest.mark.soak
KILLS = 200
SECONDS = 480.0
NAMES = ("center-0", "worker-0", "worker-1", "worker-2", "worker-3")
WIRING = FAST + CENTER + OFTEN + WORKERS.replace("count = 2", "count = 4") + OFTEN


@pytest.mark.timeout(900)
def test_two_hundred_deaths_lose_nothing(up: Start) -> None:
    agent, random = up(WIRING, "--for", f"{SECONDS:g}s"), Random(7)
    for name in NAMES[1:]:
        agent.until_said(name, "running")
    held, resident = [descriptors(agent)], [memory(agent)]

    killed = kill_at_random(agent, random, held, resident)

    assert agent.end(SECONDS) == 0, agent.said.read_text()
    totals = agent.totals
    print_figures(agent, killed, held, resident)
    assert sum(killed.values()) >= KILLS
    for name, times in killed.items():
        backs = [b for b in totals.restarts if b.actor == name.replace("-", "/")]
        assert times - 1 <= len(backs) <= times  # the last may still have been on its way
    assert_accounted(agent, unknown=2 * sum(killed.values()) + 2 * len(NAMES))
    assert totals.gave_up == {}
    assert max(held[-5:]) <= max(held[:5]) + 4
    assert agent.left() == []


def kill_at_random(
    agent: Agent, random: Random, held: list[int], resident: list[float]
) -> dict[str, int]:
    """Kill whoever is up, until there have been enough deaths; return how often each died."""
    killed = dict.fromkeys(NAMES, 0)
    pause = (SECONDS - 30) / KILLS
    while sum(killed.values()) < KILLS and agent.process.poll() is None:
        time.sleep(random.uniform(0.0, 2 * pause))  # when it happens is what is tried
        said, members = agent.said.read_text(), agent.members()
        ready = [name for name in NAMES if name in members and back(said, name) == killed[name]]
        for name in random.sample(ready, min(len(ready), random.choice([1, 1, 1, 2]))):
            halt(members[name], random)
            os.kill(members[name], signal.SIGKILL)
            killed[name] += 1
        held.append(descriptors(agent))
        resident.append(memory(agent))
    return killed


def back(said: str, name: str) -> int:
    """Return how often an actor was told to be back."""
    return said.count(f"{name.replace('-', '/')} is back")


def halt(pid: int, random: Random) -> None:
    """Now and then, stop a process for a moment before it is killed."""
    if random.random() < 0.1:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(pid, signal.SIGCONT)


def descriptors(agent: Agent) -> int:
    return len(list(Path(f"/proc/{agent.process.pid}/fd").iterdir()))


def memory(agent: Agent) -> float:
    """Return the agent's resident memory in MB."""
    return psutil.Process(agent.process.pid).memory_info().rss / 1e6


def print_figures(
    agent: Agent, killed: dict[str, int], held: list[int], resident: list[float]
) -> None:
    totals, traffic = agent.totals, agent.totals.traffic
    away = [back.downtime for back in totals.restarts]
    undone = sum(back.rolled_back_messages for back in totals.restarts)
    print(
        f"\n{sum(killed.values())} kills, {len(totals.restarts)} returns, away for "
        f"{median(away):.2f} s (median) and {max(away):.2f} s (most)\n"
        f"sent {traffic.sent} = handled {traffic.handled} + dropped "
        f"{sum(traffic.dropped.values())} + unknown {traffic.unknown} + in flight "
        f"{traffic.in_flight}; unaccounted {totals.unaccounted}; {undone} rolled back\n"
        f"the agent's descriptors {held[0]} → {held[-1]} (most {max(held)}), "
        f"its memory {resident[0]:.0f} → {resident[-1]:.0f} MB"
    )
