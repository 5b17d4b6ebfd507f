"""Actors of which one is sent more than it takes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tether.actors import Ref, oneway

if TYPE_CHECKING:
    from torch import Tensor

NUMBERS = 1_000_000
"""Of a vector, 4 MB: a window of 64 MiB has room for 16 of them."""


class Sink:
    """Takes vectors, and counts them."""

    def __init__(self) -> None:
        self._sums: list[float] = []

    async def pid(self) -> int:
        """Return the number of this process."""
        return os.getpid()

    @oneway
    async def take(self, x: Tensor) -> None:
        """Count a vector."""
        self._sums.append(float(x[0] + x[-1]))

    async def sums(self) -> list[float]:
        """Return of each vector the sum of its first number and its last."""
        return self._sums

    async def echo(self, x: Tensor) -> Tensor:
        """Give back what came."""
        return x


class Source:
    """Sends to one without waiting for it, and exchanges with another one."""

    def __init__(self, slow: Ref[Sink], other: Ref[Sink]) -> None:
        self._slow = slow
        self._other = other
        self._sent = 0
        self._wanted: asyncio.Queue[int] = asyncio.Queue()

    async def run(self) -> None:
        """Send as many vectors as are wanted."""
        import torch

        for number in range(await self._wanted.get()):
            await self._slow.take(torch.full((NUMBERS,), float(number)))
            self._sent = number + 1

    async def flood(self, many: int) -> None:
        """Begin to send so many."""
        self._wanted.put_nowait(many)

    async def sent(self) -> int:
        """Return how many the window has had room for."""
        return self._sent

    async def exchange(self, many: int) -> int:
        """Exchange so many vectors with the other one; return how many came back as they were."""
        import torch

        right = 0
        for number in range(many):
            x = torch.full((NUMBERS,), float(number))
            right += torch.equal(await self._other.echo(x), x)
        return right

    async def resident(self) -> int:
        """Return how much memory this process has, in bytes."""
        return resident()


def resident() -> int:
    """Return how much memory this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
