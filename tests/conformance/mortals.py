"""Actors that die, and those whom that concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.conformance import cutting
from tests.conformance.gates import PAUSE, doom, pass_through, until
from tests.conformance.players import waiting
from tether.actors import Ref, oneway, report
from tether.actors.context import acting

__all__ = ["cutting"]


def incarnation() -> int:
    """Return the incarnation of the actor that is acting."""
    here = acting.get()
    assert here is not None
    return here.cell.incarnation


class Doomed:
    """Lives until its doom: a file in `folder` for each of its incarnations."""

    def __init__(self, me: Any, folder: str) -> None:
        self.name = repr(me).removeprefix("<Ref ").removesuffix(">")
        self.folder = folder

    async def run(self) -> None:
        await until(doom(self.folder, self.name, incarnation()).exists)
        raise ValueError("its time has come")

    async def who(self) -> int:
        """Return which incarnation this is."""
        return incarnation()


class Mortal(Doomed):
    """Keeps what it is sent, and loses it with its life."""

    def __init__(self, me: Ref[Mortal], folder: str) -> None:
        super().__init__(me, folder)
        self.seen: list[Any] = []

    async def ask(self, item: Any) -> Any:
        self.seen.append(item)
        return item, incarnation()

    @oneway
    async def note(self, item: Any) -> None:
        self.seen.append(item)

    async def hold(self, gate: str, many: int) -> None:
        """Be busy, tell by a gate that so many messages wait, and never come to an end."""
        await until(lambda: waiting() >= many)
        await pass_through(gate)

    async def handled(self) -> list[Any]:
        return self.seen


class Keeper(Mortal):
    """Keeps what it is sent beyond its death, as far as it was in its last checkpoint."""

    async def run(self) -> None:
        me = doom(self.folder, self.name, incarnation())
        while not me.exists():
            report()  # its state may be kept here
            await asyncio.sleep(PAUSE)
        raise ValueError("its time has come")

    def state_dict(self) -> dict[str, Any]:
        return {"seen": list(self.seen)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.seen = list(state["seen"])


class Stepper(Doomed):
    """Makes steps, each of two halves between which its state is not whole."""

    def __init__(self, me: Ref[Stepper], folder: str) -> None:
        super().__init__(me, folder)
        self.begun = self.ended = 0

    async def run(self) -> None:
        me = doom(self.folder, self.name, incarnation())
        while not me.exists():
            self.begun += 1
            await asyncio.sleep(PAUSE)
            self.ended += 1
            report(step=self.ended)
            await asyncio.sleep(0)
        raise ValueError("its time has come")

    async def reached(self) -> int:
        return self.ended

    async def both(self) -> tuple[int, int]:
        return self.begun, self.ended

    def state_dict(self) -> dict[str, int]:
        return {"begun": self.begun, "ended": self.ended}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.begun, self.ended = state["begun"], state["ended"]
        self.came_with = self.begun, self.ended

    came_with = (-1, -1)

    async def came_back_with(self) -> tuple[int, int]:
        """Return the state it came back with."""
        return self.came_with


class Brief(Doomed):
    """Has a life that comes to its end at its doom, without an error."""

    async def run(self) -> None:
        await until(doom(self.folder, self.name, incarnation()).exists)


class Watcher:
    """Is told who is not there any more, or not heard of."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    async def speak_with(self, mortal: Ref[Doomed]) -> int:
        return await mortal.who()

    async def down(self, peer: Any, why: Exception) -> None:
        self.told.append((repr(peer), type(why).__name__, str(why)))

    async def was_told(self) -> list[tuple[str, str, str]]:
        return self.told


class Mourner:
    """Asks a mortal in its own life, which its death ends; then that begins again.

    One with an odd index does so in a task, so that what ends its life is a group of errors.
    """

    def __init__(self, mortal: Ref[Mortal], gates: list[str], index: int) -> None:
        self.mortal, self.gate, self.grouped = mortal, gates[index], index % 2 == 1
        self.lives = 0

    async def run(self) -> None:
        self.lives += 1
        if self.lives > 1:
            return
        if not self.grouped:
            await self.mortal.hold(self.gate, 0)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.mortal.hold(self.gate, 0))

    async def lived(self) -> tuple[int, int]:
        """Return how often its life has begun, and which incarnation this is."""
        return self.lives, incarnation()


class Sender(Doomed):
    """Sends notes, also while it dies."""

    def __init__(self, me: Ref[Sender], folder: str, center: Ref[Any]) -> None:
        super().__init__(me, folder)
        self.center = center

    async def send(self, items: list[Any], load: int = 0) -> None:
        """Send notes, each with so many bytes."""
        for item in items:
            await self.center.note(item, bytes(load))

    async def send_for_ever(self) -> None:
        number = 0
        while True:
            await self.center.note([incarnation(), number])
            await self.center.ask([incarnation(), number + 1])
            number += 2
            if number % 8 == 0:
                await asyncio.sleep(PAUSE)

    async def ask(self, gate: str) -> None:
        await self.center.hold(gate)
