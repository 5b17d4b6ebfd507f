"""Actors whose table grows and shrinks: spokes, the hub they exchange with, and one who counts."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance import cutting
from tests.conformance.gates import PAUSE, pass_through
from tether.actors import Group, Ref, oneway, report
from tether.actors.context import acting
from tether.actors.restoring import together

__all__ = ["cutting"]


class Hub:
    """Adds up what spokes send, and has their table grow or shrink."""

    def __init__(self, spokes: Group[Spoke]) -> None:
        self.spokes = spokes
        self.n: dict[str, int] = {}
        self.told: list[str] = []
        self.coins: dict[str, int] = {}

    async def exchange(self, name: str) -> int:
        self.n[name] = self.n.get(name, 0) + 1
        return self.n[name]

    async def bring_to(self, n: int) -> int:
        await self.spokes.resize(n)
        return len(self.spokes)

    async def size(self) -> int:
        return len(self.spokes)

    async def ask_all(self, gate: str) -> list[int]:
        return await self.spokes.map(Spoke.index_after, gate)

    async def joined(self, peer: Any) -> None:
        self.told.append(f"{peer!r} joined")

    async def left(self, peer: Any) -> None:
        self.told.append(f"{peer!r} left")

    async def down(self, peer: Any, why: Exception) -> None:
        self.told.append(f"{type(why).__name__}: {why}")

    async def was_told(self) -> list[str]:
        return self.told

    async def counted(self) -> dict[str, int]:
        return self.n

    async def inherit(self, name: str, coins: int) -> None:
        self.coins[name] = self.coins.get(name, 0) + coins

    async def inherited(self) -> dict[str, int]:
        return self.coins


class Spoke:
    """Exchanges step by step, for ever."""

    def __init__(self, hub: Ref[Hub], me: Ref[Spoke], index: int) -> None:
        self.hub, self.name, self.index, self.t = hub, f"spoke/{index}", index, 0
        self.me = me
        self.told: list[str] = []
        self.coins = 0
        self.joins = not together.get()

    async def run(self) -> None:
        while True:
            await self.hub.exchange(self.name)
            self.t += 1
            report(step=self.t)
            await asyncio.sleep(PAUSE)

    async def reached(self) -> int:
        return self.t

    @oneway
    async def take(self, coins: int) -> None:
        self.coins += coins

    async def leaving(self) -> None:
        """Hand over what it holds."""
        coins, self.coins = self.coins, 0
        if coins:
            await self.hub.inherit(self.name, coins)

    async def was_alone(self) -> bool:
        """Return whether it was made for a run that went on."""
        return self.joins

    async def index_after(self, gate: str) -> int:
        await pass_through(gate)
        return self.index

    async def joined(self, peer: Any) -> None:
        self.told.append(f"{peer!r} joined")

    async def left(self, peer: Any) -> None:
        self.told.append(f"{peer!r} left")

    async def was_told(self) -> list[str]:
        return self.told

    async def who(self) -> int:
        """Return which incarnation this is."""
        here = acting.get()
        assert here is not None
        return here.cell.incarnation
