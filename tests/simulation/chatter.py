"""Actors that talk in every way there is, for the runtime's promises to be tried."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from tether.actors import ActorGone, CallCycle, Group, RemoteError, batched, oneway, report, within


class Talker:
    """Sends the others what chance says: tells, asks, batches, large ones and nested ones."""

    def __init__(self, others: Group[Talker], seed: int, messages: int) -> None:
        self.others, self.seed, self.messages = others, seed, messages
        self.t, self.heard, self.newest = 0, 0, -1

    async def run(self) -> None:
        while self.t < self.messages:
            random = Random(f"{self.seed}/{self.t}")  # so that what is repeated is the same
            self.t += 1
            report(step=self.t)
            await asyncio.sleep(random.expovariate(100))
            try:
                await self._talk(random)
            except (TimeoutError, ActorGone, CallCycle, RemoteError):
                continue

    async def _talk(self, random: Random) -> None:
        other: Any = self.others[random.randrange(len(self.others))]
        match random.randrange(8):
            case 0 | 1:
                for k in range(random.randrange(1, 20)):
                    await other.note(self.t, k, b"")
            case 2:
                await other.note(self.t, 0, bytes(random.randrange(3 << 20)))
            case 3:
                await other.adopt(self.t)
            case 4:
                assert await other.double(self.t) == 2 * self.t
            case 5:
                async with within(random.uniform(0.0, 0.05)):
                    await other.slow(0.02)
            case 6:
                async with within(1.0):
                    await other.relay(random.randrange(3))
            case _:
                await self.others.map(Talker.adopt, self.t)

    @oneway
    async def note(self, t: int, k: int, data: bytes) -> None:
        """Take a message that may be large."""
        self.heard += 1

    @oneway(keep="latest")
    async def adopt(self, t: int) -> None:
        """Take the newest only."""
        self.newest = t

    @batched(max_size=8, max_wait=0.005)
    async def double(self, numbers: list[int]) -> list[int]:
        """Answer many at once."""
        await asyncio.sleep(0.002)
        return [2 * number for number in numbers]

    async def slow(self, seconds: float) -> None:
        """Take a while."""
        await asyncio.sleep(seconds)

    async def relay(self, depth: int) -> int:
        """Ask another, who asks another: which may end in a ring."""
        if depth:
            return 1 + await self.others[depth % len(self.others)].relay(depth - 1)
        return 0

    def state_dict(self) -> dict[str, int]:
        return {"t": self.t, "heard": self.heard}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.t, self.heard = state["t"], state["heard"]
