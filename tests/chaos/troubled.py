"""Actors without torch to whom something happens: they crash, block, wait in a ring, watch."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

from tether.actors import CallCycle, Group, Ref, report

if TYPE_CHECKING:
    from tests.chaos.players import Center, Worker
else:  # in a process of a run, only this folder is on the path
    from players import Center, Worker


class Doomed(Center):
    """A center whose own life always fails, though not at once."""

    async def run(self) -> None:
        await asyncio.sleep(0.01)
        raise ValueError("x̃ has 3 numbers that are not finite")


class Brittle(Center):
    """A center that ends its process where it should add for the fourth time in its life."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def add(self, k: int) -> int:
        self.calls += 1
        if self.calls > 3:
            os._exit(3)
        return await super().add(k)


class Watchful(Center):
    """A center that prints whom it has lost, and how."""

    async def down(self, peer: object, why: Exception) -> None:
        print(f"{type(why).__name__}: {why}", flush=True)


class Fragile(Worker):
    """A worker whose life fails when its process is sent SIGUSR1."""

    doomed = False

    async def run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._doom)
        print(f"begins at {self.t}", flush=True)
        while not self.steps or self.t < self.steps:
            if Fragile.doomed:
                Fragile.doomed = False
                raise ValueError("it was told to crash")
            await self._step()

    def _doom(self) -> None:
        Fragile.doomed = True


class Crosser:
    """Asks another of its kind inside a handler: two that do so at once wait for each other."""

    def __init__(self, other: Ref[Crosser]) -> None:
        self.other = other

    async def meet(self) -> str:
        await asyncio.sleep(0.1)  # so that both are met before either asks
        return await self.other.answer()

    async def answer(self) -> str:
        return "here"


class Starter:
    """Makes two wait for each other, keeps what comes of it, and asks both again."""

    def __init__(self, both: Group[Crosser]) -> None:
        self.both, self.seen, self.seconds = both, "", 0.0
        self.answers: list[str] = []

    async def run(self) -> None:
        begun = time.monotonic()
        met = await asyncio.gather(*(one.meet() for one in self.both), return_exceptions=True)
        self.seconds = time.monotonic() - begun
        self.seen = " and ".join(str(end) for end in met if isinstance(end, CallCycle))
        self.answers = [str(end) for end in met if not isinstance(end, CallCycle)]
        self.answers += await self.both.map(Crosser.answer)

    def state_dict(self) -> dict[str, object]:
        return {"seen": self.seen, "seconds": self.seconds, "answers": self.answers}


class Member(Worker):
    """A worker that can be asked how far it is."""

    async def place(self) -> int:
        return self.t


class Resizer:
    """Has a table grow and shrink while all work, and asks its members all the while."""

    def __init__(self, members: Group[Member], sizes: list[int]) -> None:
        self.members, self.sizes = members, sizes
        self.seen: list[int] = []
        self.asked = 0
        self.told: list[str] = []

    async def run(self) -> None:
        asking = asyncio.create_task(self._ask())
        for size in self.sizes:
            await self.members.resize(size)
            self.seen.append(len(self.members))
            await self._all_have_made(20)
        asking.cancel()

    async def _all_have_made(self, steps: int) -> None:
        places = await self.members.map(Member.place)
        while min(places) < steps:
            places = await self.members.map(Member.place)

    async def _ask(self) -> None:
        while True:
            await self.members.map(Member.place)
            self.asked += 1
            report(step=self.asked)
            await asyncio.sleep(0.001)

    async def joined(self, peer: object) -> None:
        self.told.append(f"{peer} joined")

    async def left(self, peer: object) -> None:
        self.told.append(f"{peer} left")

    def state_dict(self) -> dict[str, object]:
        return {"seen": self.seen, "asked": self.asked, "told": self.told}
