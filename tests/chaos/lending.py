"""Actors that exchange vectors, and say what their process holds; they start without torch."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tether.actors import Group, Ref
from tether.actors.context import acting
from tether.actors.errors import ActorGone
from tether.actors.segments import Piece

NUMBERS = 1_000_000
"""Of a vector: 4 MB."""


@dataclass(frozen=True)
class Holding:
    """What a process holds: its segments, its slots that are in use, and what is beside them.

    How many segments there are at most is a matter of moments; they are used again. Slots are
    `used` here, or `read` elsewhere. `shared` and `private` are bytes of memory; `files` and
    `shared` do without those of its own segments.
    """

    segments: int
    used: int
    read: int
    files: int
    threads: int
    shared: int
    private: int


def vector(value: int) -> Any:
    return np.full(NUMBERS, value, np.float32)


def torn(x: Any) -> bool:
    """Tell whether a vector is not all of one number: it was written while it was read."""
    return bool((x != x[0]).any())


def holding(pieces: Sequence[Piece] = (), used: int = 0, read: int = 0) -> Holding:
    """Return what this process holds, which has these pieces."""
    status = Path("/proc/self/status").read_text()
    count = {name: int(rest.split()[0]) for name, rest in _numbers(status)}
    shared = 1024 * count["RssShmem"]
    return Holding(
        segments=len(pieces),
        used=used,
        read=read,
        files=len(list(Path("/proc/self/fd").iterdir())) - 2 * len(pieces),
        threads=count["Threads"],
        shared=shared - sum(piece.size for piece in pieces),
        private=1024 * count["VmRSS"] - shared,
    )


def _numbers(status: str) -> list[tuple[str, str]]:
    lines = [line.partition(":") for line in status.splitlines()]
    return [(name, rest) for name, _, rest in lines if name in {"RssShmem", "Threads", "VmRSS"}]


class Holder:
    """Knows what its process holds."""

    def __init__(self) -> None:
        self.exchanged = 0
        self.torn = 0

    async def pid(self) -> int:
        return os.getpid()

    async def counts(self) -> tuple[int, int]:
        """Return how many exchanges there were, and how many vectors were not whole."""
        return self.exchanged, self.torn

    async def holds(self) -> Holding:
        """Return what its process holds."""
        gc.collect()
        here = acting.get()
        assert here is not None
        pool = here.cell.pool
        free = [piece for pieces in pool._free.values() for piece in pieces]
        used = [piece for piece in pool._used.values() if isinstance(piece, Piece)]
        pieces = [*used, *(piece for piece in free if isinstance(piece, Piece))]
        return holding(pieces, len(used), sum(not piece.unread() for piece in free))


class Center(Holder):
    """Answers with a vector of its own."""

    async def exchange(self, x: Any) -> Any:
        self.torn += torn(x)
        self.exchanged += 1
        return vector(self.exchanged)


class Worker(Holder):
    """Exchanges without an end, whoever dies."""

    def __init__(self, center: Ref[Center]) -> None:
        super().__init__()
        self.center = center

    async def run(self) -> None:
        while True:
            try:
                answer = await self.center.exchange(vector(self.exchanged))
            except ActorGone:
                continue
            await asyncio.sleep(0)
            self.torn += torn(answer)
            self.exchanged += 1


class Sender(Holder):
    """Exchanges with one of several centers when it is asked to, and rings a bell each time."""

    def __init__(self, centers: Group[Center], bell: str) -> None:
        super().__init__()
        self.centers = centers
        self.bell = os.open(bell, os.O_WRONLY | os.O_NONBLOCK)
        self.seconds: list[float] = []

    async def go(self, center: int, many: int) -> None:
        """Make so many exchanges; those count too whose center died."""
        now = asyncio.get_running_loop().time
        for _ in range(many):
            x, begin = vector(self.exchanged), now()
            os.write(self.bell, b".")
            try:
                answer = await self.centers[center].exchange(x)
            except ActorGone:
                continue
            self.seconds.append(now() - begin)
            self.torn += torn(answer)
            self.exchanged += 1

    async def pace(self) -> float:
        """Return how many seconds an exchange takes, that half of them do not exceed."""
        return sorted(self.seconds)[len(self.seconds) // 2]
