"""Ways to train on several processes: protocols of tether as wirings, and other systems' ranks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

from benchmarks import learners
from benchmarks.learners import Elastic, Gossiping, Rounds
from benchmarks.measure import together
from tether.protocols.aggregator import Aggregator
from tether.protocols.easgd import Center
from tether.runners.world import World

NEVER = 1 << 30
"""A period after which nothing is exchanged but once, at the beginning."""
WORKERS = 4
RANK = (sys.executable, "-m", "benchmarks.rank")
PATIENCE = 300.0
"""Seconds that the ranks of another system may take, or else they are ended."""


class Measured(NamedTuple):
    """What came of one training."""

    rate: float
    """Steps a second of all workers together."""
    reached: float = nan
    """Seconds until the accuracy wanted was reached, where that was looked at."""


Run = Callable[[int], Measured]
"""Makes so many steps a worker."""


@dataclass(frozen=True)
class Way:
    """One way to train, and the name of the one its numbers are compared with."""

    group: str
    name: str
    run: Run
    reference: str = ""
    wanted: str = ""
    needs: str = ""
    """A package that has to be installed."""
    pace: int = 1
    """How many times as many steps it makes, so that quick ones take long enough to be measured."""

    def measured(self, steps: int) -> Measured:
        """Return what comes of it; of a system that fails nothing, and why is printed."""
        try:
            return self.run(steps * self.pace)
        except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
            print(f"{self.name} has failed: {error}", file=sys.stderr)
            return Measured(nan)


def elastic(kind: str, workers: int, tau: int, center: type = Center) -> Run:
    """Return what measures EASGD."""
    worker = {
        "actor": Elastic, "count": workers, "center": "@center", "tau": tau,
        "learner": {"make": learners.learner, "kind": kind, "index": "$index"},
    }  # fmt: skip
    x = {"make": learners.initial, "kind": kind}
    return run({"center": {"actor": center, "x": x, "alpha": 0.225}, "worker": worker})


def gossip(kind: str, peers: int, p: float, peer: type = Gossiping) -> Run:
    """Return what measures GoSGD."""
    table = {
        "actor": peer, "count": peers, "peers": "@worker[others]", "M": "$count", "p": p,
        "learner": {"make": learners.learner, "kind": kind, "index": "$index"},
    }  # fmt: skip
    return run({"worker": table})


def local(H: int) -> Run:
    """Return what measures local SGD."""
    worker = {
        "actor": Rounds, "count": WORKERS, "aggregator": "@center", "me": "@me", "index": "$index",
        "learner": {"make": learners.learner, "kind": "cnn", "index": "$index"},
    }  # fmt: skip
    c = {"make": learners.initial, "kind": "cnn"}
    center = {"actor": Aggregator, "c": c, "workers": "@worker[*]", "H": H}
    return run({"center": center, "worker": worker})


def run(tables: Mapping[str, dict[str, Any]]) -> Run:
    """Return what runs these tables, each actor in a process, with so many steps."""

    async def measured(steps: int) -> Measured:
        wiring = {**tables, "worker": {**tables["worker"], "steps": steps}}
        wiring["run"] = {"checkpoint": 0}
        async with World(wiring, "processes") as world:
            await world.finished()
            kind, count = tables["worker"]["actor"], tables["worker"]["count"]
            workers = [world.ref(kind, f"worker/{k}") for k in range(count)]
            spans = [await worker.measured() for worker in workers]
            return Measured(together(spans), await workers[0].reached())

    return lambda steps: asyncio.run(measured(steps))


def ranks(system: str) -> Run:
    """Return what measures another system, a process for each rank."""

    def measured(steps: int) -> Measured:
        with tempfile.TemporaryDirectory() as folder:
            started = [
                subprocess.Popen(
                    [*RANK, system, str(index), str(WORKERS), folder, str(steps)],
                    stdout=subprocess.PIPE, text=True, start_new_session=True,
                )
                for index in range(WORKERS)
            ]  # fmt: skip
            told = [json.loads(last_line(each)) for each in ended(started)]
        return Measured(together(each["span"] for each in told), told[0]["reached"])

    return measured


def ended(started: list[subprocess.Popen[str]]) -> list[str]:
    """Return what each has printed when all have ended; all are ended if one fails.

    With those that it has started itself, such as hivemind's daemon of libp2p.
    """
    try:
        return [process.communicate(timeout=PATIENCE)[0] for process in started]
    finally:
        for process in started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def last_line(printed: str) -> str:
    """Return the last line; RuntimeError if there is none."""
    if not printed.strip():
        raise RuntimeError("a rank has printed nothing, but its rates are wanted; see its error")
    return printed.splitlines()[-1]
