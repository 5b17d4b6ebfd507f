"""The processes of a host that is not home."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from tests.runners.scripted import ENDLESS, KILLED, Scripted
from tether.runners.crew import Crew
from tether.runners.members import Member


class Aboard:
    """A crew of processes that say what they like, and what was told home of it."""

    def __init__(self) -> None:
        self.made: list[Scripted] = []
        self.told: list[tuple[Any, ...]] = []
        self.tasks: list[asyncio.Future[None]] = []
        self.crew = Crew(self._make, lambda *message: self.told.append(message), self._beside)

    def _make(self, name: str) -> Member:
        self.made.append(Scripted(name, ENDLESS))
        return self.made[-1]

    def _beside(self, work: Awaitable[None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def start(self, *names: str, number: int = 1) -> None:
        for name in names:
            self.crew.start(name, {"start": number})
        await asyncio.gather(*self.tasks)


async def test_what_a_process_says_goes_home_with_its_name_and_the_number_of_its_start() -> None:
    aboard = Aboard()

    await aboard.start("w-0", "w-1", number=2)
    aboard.crew.order("w-1", 2, "go", [["w/1"]])
    await asyncio.sleep(0)

    assert aboard.told == [
        ("said", "w-0", 2, "ready", (1,), None, False),
        ("said", "w-1", 2, "ready", (1,), None, False),
        ("said", "w-1", 2, "lives", (["w/1"], []), None, False),
    ]


async def test_orders_for_an_earlier_start_are_not_obeyed() -> None:
    aboard = Aboard()
    await aboard.start("w-0", number=2)
    aboard.told.clear()

    aboard.crew.order("w-0", 1, "go", [["w/0"]])
    aboard.crew.kill("w-0", 1)
    aboard.crew.end("w-0", 1, 0.0)
    aboard.crew.kill("nobody", 1)

    assert (aboard.told, aboard.made[0].killed) == ([], False)


async def test_a_death_goes_home_with_the_journal() -> None:
    aboard = Aboard()
    await aboard.start("w-0")

    aboard.made[0].say("died", KILLED)

    assert aboard.told[-1] == ("said", "w-0", 1, "died", (KILLED,), [], False)
    assert aboard.crew.members == []


async def test_all_ends_with_the_agent() -> None:
    aboard = Aboard()
    await aboard.start("w-0", "w-1")

    await aboard.crew.end_all()

    assert [member.killed for member in aboard.made] == [True, True]
    assert aboard.crew.members == []
    assert aboard.crew.beats() == []
