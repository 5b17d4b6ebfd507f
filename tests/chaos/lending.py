"""Actors that exchange vectors, and say what their process holds; they start without torch."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import numpy as np

from tether.actors import Ref
from tether.actors.context import acting
from tether.actors.errors import ActorGone
from tether.actors.segments import Piece

NUMBERS = 1_000_000
"""Of a vector: 4 MB."""


def vector(value: int) -> Any:
    return np.full(NUMBERS, value, np.float32)


def torn(x: Any) -> bool:
    """Tell whether a vector is not all of one number: it was written while it was read."""
    return bool((x != x[0]).any())


def files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def shared() -> int:
    """Return how many bytes of shared memory are resident here."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssShmem:")[2].split()[0]) * 1024


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

    async def holds(self) -> tuple[int, int, int, int]:
        """Return its segments, free slots that are read, and files and bytes beside the segments.

        How many segments there are at most is a matter of moments; they are used again.
        """
        gc.collect()
        here = acting.get()
        assert here is not None
        pool = here.cell.pool
        free = [piece for pieces in pool._free.values() for piece in pieces]
        pieces = [piece for piece in (*free, *pool._used.values()) if isinstance(piece, Piece)]
        read = sum(not piece.unread() for piece in free)
        held = sum(piece.size for piece in pieces)
        return len(pieces), read, files() - 2 * len(pieces), shared() - held


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
