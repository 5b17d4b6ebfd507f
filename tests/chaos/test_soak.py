"""What takes minutes: kills and interrupts by the dozen. `make soak` runs it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.chaos.books import assert_accounted, assert_sums, print_downtimes
from tests.chaos.conftest import Start
from tests.chaos.stage import ENDLESS, ENDS_IN, NEVER, SLACK, Agent, until
from tests.chaos.test_interrupt import assert_interrupted, interrupt_at, moments

pytestmark = pytest.mark.soak
IN_TIME = ENDS_IN + SLACK
PROCESSES = ("center-0", "worker-0", "worker-1")
MINUTES = 8.5
DEATHS = 200
MORTAL = ("center/0", *(f"worker/{k}" for k in range(5)))
LONG = (
    "[run]\nbeat = 0.1\nunreachable = 1\nhung = 5\ncheckpoint = 0.5\n"
    '[center]\nactor = "players:Center"\nmax_restarts = 100000\nmax_seconds = 1\n'
    '[worker]\nactor = "troubled:Fragile"\ncount = 5\ncenter = "@center"\npause = 0.02\n'
    "max_restarts = 100000\nmax_seconds = 1\n"
    '[steady]\nactor = "players:Worker"\ncenter = "@center"\npause = 0.02\n'
)
"""`steady` is never killed: whatever its process keeps of the dead, it keeps of all of them."""


@pytest.mark.parametrize("seed", range(100, 108))
def test_interrupts_at_random_moments_leave_nothing(up: Start, seed: int) -> None:
    drawn = moments(seed, 5)
    agents = [up(ENDLESS) for _ in drawn]

    interrupt_at(agents, drawn)

    for agent in agents:
        assert_interrupted(agent)
        assert agent.left() == []


@pytest.mark.parametrize("seed", range(10))
def test_whoever_is_killed_whenever_is_named_and_nobody_hangs(up: Start, seed: int) -> None:
    random, agent = Random(seed), up(ENDLESS.replace("[worker]", f"{NEVER}[worker]") + NEVER)
    name, moment = random.choice(PROCESSES), random.uniform(0.0, 0.5)
    agent.until_said("worker-0", "running")

    time.sleep(moment)  # when it happens is what is tried
    agent.kill(name)
    agent.until_told(f"{name.replace('-', '/')} is given up")
    agent.signal(signal.SIGTERM)

    assert agent.end(IN_TIME) == 1
    assert f"{name.replace('-', '/')} was given up" in agent.summary["reason"]
    assert agent.left() == []


class Reaper:
    """Does harm to a run, and remembers what it did."""

    def __init__(self, agent: Agent, seed: int) -> None:
        self.agent = agent
        self.random = Random(seed)
        self.deaths: Counter[str] = Counter()
        self.crashes = 0
        self.stops = 0

    def events(self, name: str) -> str:
        """Return what the user was told of an actor, in order: d for a death, b for a return."""
        told = re.findall(rf"^{name} (died: |is back,)", self.agent.said.read_text(), re.MULTILINE)
        return "".join("d" if event.startswith("died") else "b" for event in told)

    def up(self) -> list[str]:
        """Return who has come back from all its deaths."""
        events = {name: self.events(name) for name in MORTAL}
        return [
            name
            for name, seen in events.items()
            if seen.count("d") == self.deaths[name] and not seen.endswith("d")
        ]

    def early(self) -> int:
        """Return how many died on their way back: of these no return is told."""
        return sum(len(re.findall("d(?=d)", self.events(name))) for name in MORTAL)

    def strike(self) -> None:
        """Do some harm to some of those who are there."""
        there = self.up()
        self.random.shuffle(there)
        kind = self.random.choice(["kill"] * 5 + ["kill several", "kill twice", "crash", "stop"])
        if not there:
            return
        if kind == "stop":
            self._stop(there[0])
        elif kind == "crash":
            self._crash([name for name in there if name.startswith("worker")])
        elif kind == "kill several":
            self._kill(there[: self.random.randint(2, 4)])
        else:
            self._kill(there[:1])
        if kind == "kill twice":
            self._kill_again(there[0])

    def _pid(self, name: str) -> int:
        return self.agent.member(name.replace("/", "-"))

    def _kill(self, names: list[str]) -> None:
        for pid in [self._pid(name) for name in names]:
            os.kill(pid, signal.SIGKILL)
        self.deaths.update(names)

    def _kill_again(self, name: str) -> None:
        """Kill an actor that was killed just now on its way back."""
        self.agent.until(lambda: self.events(name).count("d") == self.deaths[name])
        self.agent.until(lambda: name.replace("/", "-") in self.agent.members())
        time.sleep(self.random.uniform(0.0, 0.2))
        self._kill([name])

    def _crash(self, names: list[str]) -> None:
        """Have the life of an actor fail, while its process lives on."""
        for name in names[:1]:
            os.kill(self._pid(name), signal.SIGUSR1)
            self.deaths[name] += 1
            self.crashes += 1

    def _stop(self, name: str) -> None:
        """Stop a process for a while."""
        pid = self._pid(name)
        os.kill(pid, signal.SIGSTOP)
        self.stops += 1
        time.sleep(self.random.uniform(0.1, 2.0))
        os.kill(pid, signal.SIGCONT)


class Gauge:
    """What a process needs: file descriptors and memory, taken when all are there."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.samples: list[tuple[int, float]] = []

    def take(self) -> None:
        descriptors = len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        self.samples.append((descriptors, self.process.memory_info().rss / 1e6))

    def print(self, whose: str) -> None:
        (first, small), (last, large) = self.samples[0], self.samples[-1]
        print(f"{whose}: descriptors {first} → {last}, memory {small:.1f} → {large:.1f} MB")

    def assert_steady(self) -> None:
        """Check that no descriptor is kept of the dead."""
        early = max(descriptors for descriptors, _ in self.samples[:10])
        assert max(descriptors for descriptors, _ in self.samples[-10:]) <= early + 2


@pytest.mark.timeout(900)
def test_two_hundred_deaths_leave_the_books_closed_and_nothing_behind(up: Start) -> None:
    agent = up(LONG)
    agent.until_said("steady-0", "running")
    reaper = Reaper(agent, seed=2026)
    gauges = {
        "agent": Gauge(agent.process.pid),
        "steady/0": Gauge(agent.member("steady-0")),
    }
    end = time.monotonic() + 60 * MINUTES

    while time.monotonic() < end or sum(reaper.deaths.values()) < DEATHS:
        reaper.strike()
        if len(reaper.up()) == len(MORTAL):
            for gauge in gauges.values():
                gauge.take()
        time.sleep(reaper.random.uniform(0.5, 2.5))
        assert agent.process.poll() is None, agent.said.read_text()[-2000:]
    until(lambda: len(reaper.up()) == len(MORTAL))
    agent.signal(signal.SIGTERM)

    assert agent.end(IN_TIME + SLACK) == 0, agent.said.read_text()[-2000:]
    show(agent, reaper)
    for whose, gauge in gauges.items():
        gauge.print(whose)
        gauge.assert_steady()
    assert agent.summary["outcome"] == "stopped"
    assert len(agent.totals.restarts) == sum(reaper.deaths.values()) - reaper.early()
    assert_accounted(agent, unknown=6 * sum(reaper.deaths.values()))
    assert_sums(agent)
    assert agent.left() == []


def show(agent: Agent, reaper: Reaper) -> None:
    """Print what has happened, and what became of all messages."""
    totals = agent.totals
    print()
    print(
        f"{sum(reaper.deaths.values())} deaths ({reaper.crashes} by an exception, the others by "
        f"SIGKILL), {reaper.early()} on their way back, {reaper.stops} stopped for "
        f"a while; {len(totals.restarts)} returns in {totals.seconds:.0f} s"
    )
    traffic = totals.traffic
    print(
        f"{traffic.sent} messages = {traffic.handled} handled + {sum(traffic.dropped.values())} "
        f"dropped + {traffic.unknown} unknown + {traffic.in_flight} in flight; "
        f"{totals.unaccounted} unaccounted"
    )
    messages = sum(back.rolled_back_messages for back in totals.restarts)
    steps = sum(back.rolled_back_steps for back in totals.restarts)
    print(f"rolled back: {messages} messages and {steps} steps")
    print_downtimes(agent)
