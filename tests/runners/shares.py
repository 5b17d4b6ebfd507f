"""One process's share of a run, in this process: what the tests of its parts begin with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tether.actors.frames import Origin
from tether.actors.storage import MemoryStorage, Storage
from tether.runners.duties import Duties
from tether.runners.linker import link
from tether.runners.process import OUTSIDE, Process, directory


class Told:
    """What a process has told its run."""

    def __init__(self) -> None:
        self.words: list[list[Any]] = []
        self._more = asyncio.Event()

    def __call__(self, word: str, *details: Any) -> None:
        self.words.append([word, *details])
        self._more.set()

    def of(self, word: str) -> list[list[Any]]:
        """Return what came with each word of this kind."""
        return [details for said, *details in self.words if said == word]

    async def until(self, word: str, times: int = 1) -> list[Any]:
        """Wait until a word was said so often; return what came with the last of them."""
        async with asyncio.timeout(20):
            while len(self.of(word)) < times:
                self._more.clear()
                await self._more.wait()
        return self.of(word)[times - 1]


class Share:
    """All actors of some tables in one process, with what it tells, keeps and is ordered."""

    def __init__(self, tables: Mapping[str, Any], final: Storage | None = None) -> None:
        self.plan = link(tables, Path(), name="x", importable=False)
        places = directory(self.plan, dict.fromkeys(self.plan.processes(), OUTSIDE), OUTSIDE)
        self.told = Told()
        self.checkpoints = MemoryStorage()
        self.process = Process(
            Origin("run", OUTSIDE, 1),
            self.plan,
            places,
            self.told,
            checkpoints=self.checkpoints,
            final=final,
        )
        self.duties = Duties(self.process)

    async def begin(self, *names: str, **snapshot: Any) -> Share:
        """Make these actors, or all that start, and begin their lives."""
        made = list(names) or [spec.name for spec in self.plan if spec.starts]
        known = {
            "incarnations": {spec.name: 1 for spec in self.plan},
            "down": {},
            "gone": {},
            "off": [spec.name for spec in self.plan if not spec.starts],
            "present": made,
        }
        self.process.enter(known | snapshot)
        await self.process.build(made, {}, ())
        await self.duties.obey("go", made)
        return self

    def actor(self, name: str) -> Any:
        """Return an actor's object."""
        return self.process.node.cells[name].actor

    async def change(self, **change: Any) -> None:
        """Tell of a change."""
        await self.duties.obey("changed", [change])

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true; TimeoutError when it does not come true."""
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110 - what it waits for sets no Event
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        """End the process."""
        await self.duties.obey("close", 0)


def names(pairs: Sequence[Sequence[Any]]) -> set[str]:
    """Return the actors that words are about."""
    return {str(details[0]) for details in pairs}
