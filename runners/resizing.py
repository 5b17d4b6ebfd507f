"""Lets actors join and leave a run that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from tether.runners.members import Member
from tether.runners.roster import Change, Entry, up_of

if TYPE_CHECKING:
    from tether.runners.conductor import Conductor

PATIENCE = 2.0
"""Seconds in which processes are to have noted who leaves, before it does."""


class Resizing:
    """Brings tables to the sizes that are asked for, one at a time."""

    def __init__(self, conductor: Conductor) -> None:
        self.run = conductor
        self._turn = asyncio.Lock()
        self._numbers = count(1)
        self._noted: dict[int, set[str]] = {}
        self._departed: set[str] = set()

    async def asked(self, member: Member, number: int, table: str, size: int) -> None:
        """Do as an actor asks, and tell it when it is done, or why it was not."""
        try:
            why = ""
            await self.resize(table, size)
        except (ValueError, RuntimeError) as error:
            why = str(error)
        member.order("resized", number, why)

    async def resize(self, table: str, size: int) -> None:
        """Bring a table to so many actors.

        Raises ValueError when it may not have as many, RuntimeError when one could not be made.
        """
        bounds = self.run.plan.bounds.get(table)
        if bounds is None:
            raise ValueError(f"[{table}] has a fixed count, but one with bounds is wanted")
        if not bounds.min <= size <= bounds.max:
            raise ValueError(f"[{table}] may have {bounds} actors, but {size} are asked for")
        async with self._turn:
            entries = [entry for entry in self.run.roster if entry.spec.table == table]
            present = [entry for entry in entries if entry.present]
            absent = [entry for entry in entries if not entry.present]
            for entry in absent[: max(0, size - len(present))]:
                await self._join(entry)
            for entry in reversed(present[size:]):
                await self._leave(entry)

    async def _join(self, entry: Entry) -> None:
        """Start an actor, then let everybody know of it, then let it live."""
        run, name = self.run, entry.spec.name
        entry.state, entry.returned, entry.leaving = "starting", False, False
        process = entry.spec.process
        new = process not in run.roster.members
        entry.present = True
        why = await run.revival.joined(process, [name])
        if why:
            entry.state, entry.present = "off", False
            raise RuntimeError(f"{name} could not join: {why}")
        entry.state = "up"
        renewed: list[Change] = [{"what": "renewed", "process": process}]
        joined: Change = {"what": "joined", "actor": name}
        run.roster.announce(*(renewed if new else []), up_of(entry), joined)
        run.roster.remember(run.roster.incarnations())
        run.audience.joined(name)
        run.go(run.roster.members[process], [name])

    async def _leave(self, entry: Entry) -> None:
        """Have everybody forget an actor, let it finish what was sent to it, and end it."""
        run, name = self.run, entry.spec.name
        entry.present, entry.leaving = False, True
        number = next(self._numbers)
        self._noted[number] = set()
        run.roster.announce({"what": "left", "actor": name})
        for member in run.roster.living():
            member.order("note", number)
        await self._in_time(PATIENCE, lambda: self._all_noted(number))
        del self._noted[number]
        member_ = run.roster.members.get(entry.spec.process)
        if entry.state == "up" and member_ is not None:
            self._departed.discard(name)
            member_.order("leave", name)
            times = run.plan.run
            patience = times.graceful + times.drain + times.unreachable
            await self._in_time(patience, lambda: self._gone(entry))
        self._part(entry, member_)

    def _part(self, entry: Entry, member: Member | None) -> None:
        """Tell everybody that an actor is not there any more, and end its process if it can be."""
        run, name = self.run, entry.spec.name
        if entry.state != "gone":
            run.revival.departed(entry, member)
        entry.state = "off"
        run.audience.left(name)
        if member is not None and not run.roster.here(entry.spec.process):
            member.order("close", 0)
            run.task(self._ended(member))

    async def _ended(self, member: Member) -> None:
        """See a process end in which nobody lives any more."""
        await self._in_time(
            self.run.plan.run.graceful, lambda: member.name in self.run.said.get("closed", ())
        )
        self.run.roster.bury(member)
        await member.end(0.5)

    def _gone(self, entry: Entry) -> bool:
        return entry.spec.name in self._departed or entry.state != "up"

    def _all_noted(self, number: int) -> bool:
        silent = {e.spec.process for e in self.run.roster if e.unreachable}
        living = {member.name for member in self.run.roster.living()} - silent
        return living <= self._noted[number]

    def noted(self, member: Member, number: int) -> None:
        """Hear that a process has noted who leaves."""
        if number in self._noted:
            self._noted[number].add(member.name)

    def departed(self, actor: str) -> None:
        """Hear that an actor has handled all that was sent to it, and has ended."""
        self._departed.add(actor)

    async def _in_time(self, patience: float, true: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(patience):
                await self.run.until(true, or_over=False)
        except TimeoutError:
            return
