"""Time, chance, identity and threads: the one door to them, which each world has its own of."""

from __future__ import annotations

import random
import secrets
import sys
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Protocol


class Clock(Protocol):
    """What the runtime asks of the world it runs in."""

    def now(self) -> float:
        """Seconds that only ever grow; the zero is arbitrary."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, UTC: for people to read, never to measure with."""
        ...

    def token(self) -> str:
        """Return 16 hexadecimal digits nobody else has."""
        ...

    def random(self, stream: str) -> random.Random:
        """Return the generator of a named stream; the same name and seed draw the same."""
        ...

    def executor(self, name: str) -> Executor:
        """Return one dedicated thread for an actor's heavy work."""
        ...


class SystemClock:
    """The real world's clock, chance and threads."""

    def __init__(self, seed: int = 0, threads: int = 1) -> None:
        self.seed = seed
        self.threads = threads

    def now(self) -> float:
        """Return the monotonic clock, in seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def token(self) -> str:
        """Return 16 hexadecimal digits from the system's entropy."""
        return secrets.token_hex(8)

    def random(self, stream: str) -> random.Random:
        """Return the stream's generator, seeded by (seed, stream)."""
        return random.Random(f"{self.seed}/{stream}")

    def executor(self, name: str) -> Executor:
        """Return a pool of one thread, named after the actor."""
        return ThreadPoolExecutor(1, name, _limit_torch, (self.threads,))


def _limit_torch(threads: int) -> None:
    """Hold torch to its threads: it counts them anew for every thread that uses it."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
