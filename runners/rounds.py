"""Rounds of checkpoints: a state of every actor, as of one moment as far as messages can tell.

Those with a life keep theirs at their next report. What they send from then on says so, and has
whoever handles it keep its own before (after Lai & Yang, "On distributed snapshots", 1987). The
others are told when all lives have done so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tether.runners.members import Member

if TYPE_CHECKING:
    from tether.runners.conductor import Conductor


class Rounds:
    """Orders a round every so many seconds, one at a time; `last` is the number of the last one."""

    def __init__(self, conductor: Conductor, last: int) -> None:
        self.run_ = conductor
        self.last = last
        self._asked: list[Member] = []
        self._told: set[str] = set()
        self._taking: set[str] = set()
        self._writing: set[str] = set()
        self._kept: set[str] = set()

    async def run(self) -> None:
        """Take rounds until cancelled."""
        pause = self.run_.plan.run.checkpoint
        while True:
            await asyncio.sleep(pause)
            await self.take(pause)

    async def take(self, patience: float) -> None:
        """Take one round; who does not come to it in time keeps its state in a later one."""
        self.last += 1
        self._writing.clear()
        self._kept.clear()
        await self._phase("round", patience)
        await self._phase("end_round", patience)

    async def _phase(self, word: str, patience: float) -> None:
        self._told.clear()
        self._taking.clear()
        self._asked = self.run_.roster.living()
        for member in self._asked:
            member.order(word, self.last)
        await self._in_time(patience, self._complete)
        # Two rounds are kept: who lags behind by two would have none in common with the others.
        await self._in_time(self.run_.plan.run.lost, self._written)

    def _complete(self) -> bool:
        living = self.run_.roster.living()
        asked = {member.name for member in self._asked if member in living}
        return asked <= self._told and all(map(self._done, self._taking))

    def _written(self) -> bool:
        return all(map(self._done, self._writing))

    def _done(self, actor: str) -> bool:
        entry = self.run_.roster.entries[actor]
        return actor in self._kept or entry.state != "up" or entry.returned

    async def _in_time(self, patience: float, true: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(patience):
                await self.run_.until(true, or_over=False)
        except TimeoutError:
            return

    def taking(self, member: Member, cut: int, names: Sequence[str]) -> None:
        """Hear whose states a process is about to keep."""
        if cut == self.last:
            self._told.add(member.name)
            self._taking.update(names)

    def took(self, actor: str, cut: int) -> None:
        """Hear that a state was copied, and is being written."""
        if cut == self.last:
            self._writing.add(actor)

    def kept(self, actor: str, cut: int) -> None:
        """Hear that a state is on disk."""
        if cut == self.last:
            self._kept.add(actor)
