"""What the tests of simulated worlds share: virtual time, what was complained of, small actors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from hypothesis import HealthCheck, settings

from tether.actors import Ref, oneway, report
from tether.actors.cell import Cell
from tether.actors.compute import Job, off_loop
from tether.runners.distribution import fixed
from tether.runners.faults import read_faults
from tether.runners.linker import link
from tether.runners.medium import Count, Endpoint, Medium
from tether.runners.network import Network, Rule
from tether.runners.network_file import read_network
from tether.runners.problems import Problems, WiringError
from tether.runners.result import Result
from tether.runners.scope import Scope, here
from tether.runners.simulation import Simulation
from tether.runners.spec import Plan
from tether.runners.trace import Trace
from tether.runners.virtual import VirtualLoop, run
from tether.runners.world import World

P = ParamSpec("P")

settings.register_profile("no timing", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no timing")


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Have a test run in virtual time."""

    @wraps(test)
    def in_virtual_time(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return in_virtual_time


def now() -> float:
    """Return the virtual time."""
    return asyncio.get_running_loop().time()


def sentences(problems: Problems) -> list[str]:
    """Return what was reported."""
    try:
        problems.check()
    except WiringError as error:
        return list(error.problems)
    return []


NAMES: Mapping[str, frozenset[str]] = {
    "worker-0": frozenset({"worker/0", "worker", "*"}),
    "center-0": frozenset({"center/0", "center", "*"}),
}
PLAIN: Mapping[str, Any] = {"latency": fixed(0.5), "bandwidth": 100.0}


def cell(name: str = "center/0", incarnation: int = 1) -> Cell:
    """Return an actor's cell, of which nothing is asked."""
    desk: Any = None
    return Cell(name, desk, incarnation=incarnation)


class Inbox:
    """Takes in what comes, with the time, and the process that the code here belongs to."""

    def __init__(self) -> None:
        self.came: list[tuple[float, bytes]] = []
        self.within: set[Scope | None] = set()

    def frame(self, data: bytes, lease: Any = None) -> None:
        self.came.append((now(), data))
        self.within.add(here.get())

    def chunk(self, header: bytes, data: memoryview) -> None:
        self.frame(header + data)

    def connected(self, process: str) -> None:
        raise AssertionError("nothing is connected here")


class Air:
    """Two processes and the network between them."""

    def __init__(
        self, *rules: Mapping[str, Any], seed: int = 7, trace: Trace | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        network = Network([Rule("*", "*", {**PLAIN, **keys}) for keys in rules or ({},)])
        self.medium = Medium(network, NAMES, loop, seed, trace)
        self.scopes = {name: Scope(name, loop) for name in NAMES}
        self.worker = Endpoint(self.medium, "worker-0", self.scopes["worker-0"])
        self.center = Endpoint(self.medium, "center-0", self.scopes["center-0"])
        self.inbox = Inbox()

    async def start(self) -> Air:
        await self.worker.start(Inbox())
        await self.center.start(self.inbox)
        return self

    def send(self, *frames: bytes) -> None:
        """Have the worker's process send frames to the center's."""
        for frame in frames:
            self.scopes["worker-0"].context.run(self.worker.send, "center-0", frame)

    @property
    def count(self) -> Count:
        return self.medium.edge("worker-0", "center-0").count


class Counter:
    """Adds up what it is sent, and knows how to come back."""

    def __init__(self, start: int = 0) -> None:
        self.n = start

    async def add(self, k: int) -> int:
        self.n += k
        return self.n

    @oneway
    async def note(self, k: int) -> None:
        self.n += k

    def state_dict(self) -> dict[str, int]:
        return {"n": self.n}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.n = state["n"]


class Adder:
    """Computes, adds one and reports a step, again and again; it knows how to come back."""

    def __init__(self, counter: Ref[Counter], steps: int) -> None:
        self.counter, self.steps, self.t = counter, steps, 0

    async def run(self) -> None:
        while self.t < self.steps:
            await off_loop(Job("gradient", int))
            await self.counter.add(1)
            self.t += 1
            report(step=self.t)

    def state_dict(self) -> dict[str, int]:
        return {"t": self.t}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.t = state["t"]


RUN: Mapping[str, Any] = {"checkpoint": 1.0, "seed": 7}
TABLES: Mapping[str, Any] = {
    "run": RUN,
    "counter": {"actor": Counter, "restart": "permanent"},
    "adder": {"actor": Adder, "counter": "@counter", "count": 2, "steps": 300},
}
"""Two adders of 300 steps of 10 ms, which take a bit more than three seconds."""
HOSTED: Mapping[str, Any] = {
    **TABLES,
    "hosts": {"left": "10.0.0.1:5700", "right": "10.0.0.2:5700"},
    "counter": {**TABLES["counter"], "on": "left"},
    "adder": {**TABLES["adder"], "on": "right"},
}
"""The same on two hosts."""


def plan(tables: Mapping[str, Any] = TABLES) -> Plan:
    """Return the plan of some tables."""
    return link(tables, Path(), name="x", importable=False)


QUADRATIC: Mapping[str, Any] = {
    "run": RUN,
    "center": {
        "actor": "tether.protocols.easgd:Center",
        "x": {"make": "tether.protocols.quadratic:initial", "n": 3, "start": 1.0},
        "alpha": 0.2,
    },
    "worker": {
        "actor": "tether.protocols.easgd:Worker",
        "count": 3,
        "center": "@center",
        "tau": 4,
        "steps": 100,
        "learner": {
            "make": "tether.protocols.quadratic:Quadratic",
            "n": 3, "eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0, "start": 1.0,
            "seed": "$seed",
        },
    },
}  # fmt: skip
"""EASGD on a quadratic, for about a second."""


def troubles(crashing: str, pausing: str) -> dict[str, Any]:
    """Return faults of which some meet everybody."""
    return {
        "crash": [{"at": "300ms", "actor": crashing, "every": "900ms", "times": 2}],
        "pause": [{"at": {"uniform": ["0s", "1s"]}, "actor": pausing, "for": "50ms"}],
        "link": [{"for": "1s", "loss": 0.1, "duplicate": 0.1, "reorder": 0.2}],
    }


async def played(
    tables: Mapping[str, Any] = TABLES, faults: Mapping[str, Any] | None = None, **given: Any
) -> tuple[Simulation, Result]:
    """Simulate a run to its end, or for a minute."""
    made = plan(tables)
    folder = Path()
    wrong = read_faults(faults or {}, folder, made)
    simulation = Simulation(made, read_network({}, folder, made), wrong, **given)
    conductor = simulation.conductor()
    if await conductor.start():
        simulation.chaos.begin()
        simulation.loop.call_later(60, conductor.stop)
        await conductor.wait()
    await simulation.calm()
    result = await conductor.close()
    simulation.close(result)
    return simulation, result


def digest(tables: Mapping[str, Any], seed: int) -> str:
    """Return the digest of all that happens in a simulation in which much goes wrong."""
    service, lives = [table for table in tables if table != "run"]
    trace = Trace()
    run(played(tables, troubles(lives, service), seed=seed, trace=trace))
    return f"{trace.digest} of {trace.lines} lines"


def simulation(world: World) -> Simulation:
    """Return what simulates a world."""
    assert world.simulation is not None
    return world.simulation
