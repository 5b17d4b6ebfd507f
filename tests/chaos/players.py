"""Actors without torch, so that their processes start at once; each has one way to behave."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tether.actors import ActorGone, Ref, oneway, report
from tether.actors.compute import off_loop

GATE = "TETHER_TESTS_GATE"
"""The environment's name of a file without which the processes of a run go on importing."""

if "tether.runners.child" in sys.orig_argv and GATE in os.environ:
    while not Path(os.environ[GATE]).exists():
        time.sleep(0.01)


def busy(seconds: float) -> None:
    """Hold the thread this is called in."""
    time.sleep(seconds)


def sleeping() -> subprocess.Popen[bytes]:
    """Start a process that outlives any test."""
    return subprocess.Popen(["sleep", "600"])


class Center:
    """Adds up what it is sent; knows how to fail, to hang and to wait."""

    def __init__(self) -> None:
        self.n = 0

    async def add(self, k: int) -> int:
        self.n += k
        return self.n

    async def fail(self) -> None:
        raise ValueError("the center has no such number")

    async def wait(self) -> None:
        print("waiting", flush=True)
        await asyncio.Event().wait()

    @oneway
    async def linger(self) -> None:
        await self.wait()

    async def block(self, seconds: float) -> None:
        print("blocking", flush=True)
        busy(seconds)

    def state_dict(self) -> dict[str, int]:
        return {"n": self.n}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.n = state["n"]


class Worker:
    """Exchanges with a center, a number of times or, with 0, for ever; rests after a few."""

    def __init__(self, center: Ref[Center], steps: int = 0, pause: float = 0.001) -> None:
        self.center, self.steps, self.pause, self.t = center, steps, pause, 0

    async def run(self) -> None:
        print(f"begins at {self.t}", flush=True)
        while not self.steps or self.t < self.steps:
            await self._step()
        print(f"ends at {self.t}", flush=True)

    async def _step(self) -> None:
        await self.center.add(1)
        self.t += 1
        report(step=self.t)
        if self.t == 3:
            print("running", flush=True)
        if self.t % 5 == 0:
            await asyncio.sleep(self.pause)

    def state_dict(self) -> dict[str, int]:
        return {"t": self.t}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.t = state["t"]


class Asker:
    """Asks what is never answered, and keeps what comes of it."""

    def __init__(self, center: Ref[Center]) -> None:
        self.center, self.seen = center, ""

    async def run(self) -> None:
        try:
            await self.center.wait()
        except ActorGone as error:
            self.seen = str(error)

    def state_dict(self) -> dict[str, str]:
        return {"seen": self.seen}


class Patient:
    """Calls a handler that fails, and goes on."""

    def __init__(self, center: Ref[Center]) -> None:
        self.center, self.seen = center, ""

    async def run(self) -> None:
        try:
            await self.center.fail()
        except ValueError as error:
            self.seen = "; ".join([str(error), *error.__notes__[:1]])
        await self.center.add(1)

    def state_dict(self) -> dict[str, str]:
        return {"seen": self.seen}


class Leaver:
    """Ends its life at once, with a message of its own still being handled."""

    def __init__(self, center: Ref[Center]) -> None:
        self.center = center

    async def run(self) -> None:
        await self.center.linger()


class Blocker:
    """Makes the center block its event loop, and then adds to it."""

    def __init__(self, center: Ref[Center], seconds: float = 60.0) -> None:
        self.center, self.seconds = center, seconds

    async def run(self) -> None:
        await self.center.block(self.seconds)
        await self.center.add(1)


class Thinker:
    """Computes for longer than anyone waits, in its own thread."""

    async def run(self) -> None:
        print("thinking", flush=True)
        await off_loop(busy, 60)

    def state_dict(self) -> dict[str, int]:
        return {"thoughts": 0}


class Failing:
    """Has a life that raises."""

    async def run(self) -> None:
        raise ValueError("the data are gone")


class Quitter:
    """Has a life that ends its process."""

    async def run(self) -> None:
        sys.exit(3)


class Unbuildable:
    """Cannot be made."""

    def __init__(self) -> None:
        raise ValueError("tau is 0, which never exchanges")

    async def run(self) -> None:
        await asyncio.Event().wait()


class Given:
    """Is built from what a factory makes."""

    def __init__(self, parts: list[int]) -> None:
        self.parts = parts

    async def run(self) -> None:
        await asyncio.Event().wait()


def no_parts() -> list[int]:
    """Make nothing."""
    raise OSError("the shards are not mounted")


class Parent:
    """Starts a process of its own, as a data loader does."""

    async def run(self) -> None:
        self.child = sleeping()
        print("started", flush=True)
        await asyncio.Event().wait()


class Witness:
    """Tells what its process has imported and sees of the machine."""

    def __init__(self) -> None:
        heavy = {"cryptography", "numpy", "rich", "torch", "typer"}
        self.loaded = sorted(heavy & {name.partition(".")[0] for name in sys.modules})
        self.gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
        self.threads = os.environ.get("OMP_NUM_THREADS", "none")
        self.drawn = random.random()

    async def run(self) -> None:
        return

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))


class Talker:
    """Prints and logs under its own name."""

    def __init__(self, word: str) -> None:
        self.word = word
        print(f"{word} is made")

    async def run(self) -> None:
        print(f"{self.word} runs", flush=True)
        print(f"{self.word} complains", file=sys.stderr)
        print(f"{self.word} ends in the middle of a line", end="")


class Reporter:
    """Reports a step at a time."""

    def __init__(self, steps: int = 4) -> None:
        self.steps = steps

    async def run(self) -> None:
        for t in range(self.steps):
            report(step=t + 1, loss=1 / (t + 1), accuracy=0.5)


class Heavy:
    """Has more state than its disk has room for."""

    async def run(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

    def state_dict(self) -> dict[str, str]:
        return {"text": "x" * 100_000}


class Service:
    """Serves for ever, and leaves its post only when it is told."""

    def __init__(self, center: Ref[Center]) -> None:
        self.center, self.ended = center, ""

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = "relieved"
            print("relieved", flush=True)

    def state_dict(self) -> dict[str, str]:
        return {"ended": self.ended}
