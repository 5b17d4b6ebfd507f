"""Lets actors join and leave a run that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from tether.runners.members import Member
from tether.runners.roster import Change, Entry, names_of, up_of

if TYPE_CHECKING:
    from tether.runners.conductor import Conductor

PATIENCE = 2.0
"""Seconds in which processes are to have noted who joins or leaves, before it does.

Who leaves is given more, where `[run] drain` is more: what was sent to it is to be handled."""


class Resizing:
    """Brings tables to the sizes that are asked for, one at a time."""

    def __init__(self, conductor: Conductor) -> None:
        self.run = conductor
        self._turn = asyncio.Lock()
        self._numbers = count(1)
        self._noted: dict[int, set[str]] = {}
        self._departed: set[str] = set()
        self._closing: dict[str, asyncio.Task[None]] = {}

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
            await self._all_join(absent[: max(0, size - len(present))])
            await asyncio.gather(*map(self._leave, reversed(present[size:])))

    async def _all_join(self, entries: list[Entry]) -> None:
        """Have actors join at the same time; raise what went wrong once all others have joined."""
        homes: dict[str, list[Entry]] = {}
        for entry in entries:
            homes.setdefault(entry.spec.process, []).append(entry)
        joining = [asyncio.ensure_future(self._join(*home)) for home in homes.items()]
        if joining:
            await asyncio.wait(joining)
        for each in joining:
            each.result()

    async def _join(self, process: str, entries: list[Entry]) -> None:
        """Start the actors of a process, then let everybody know of them, then let them live."""
        run, names = self.run, names_of(entries)
        if process in self._closing:  # it listens where the new one is to
            await self._closing.pop(process)
        for entry in entries:
            run.roster.enter(entry)
        new = process not in run.roster.members
        why = await run.revival.joined(process, names)
        if why:
            for entry in entries:
                entry.state, entry.present = "off", False
            raise RuntimeError(f"{' and '.join(names)} could not join: {why}")
        for entry in entries:
            entry.state = "up"
        renewed: list[Change] = [{"what": "renewed", "process": process}] if new else []
        joined: list[Change] = [{"what": "joined", "actor": name} for name in names]
        run.roster.announce(*renewed, *map(up_of, entries), *joined)
        run.roster.remember(run.roster.incarnations())
        await self._all_note(PATIENCE)
        for name in names:
            run.audience.joined(name)
        run.go(run.roster.members[process], names)

    async def _leave(self, entry: Entry) -> None:
        """Have everybody forget an actor, let it finish what was sent to it, and end it."""
        run, name = self.run, entry.spec.name
        entry.present, entry.leaving = False, True
        run.roster.announce({"what": "left", "actor": name})
        await self._all_note(max(PATIENCE, run.plan.run.drain))
        times = run.plan.run
        patience = times.graceful + times.drain + times.unreachable
        if entry.state == "down" and not run.revival.forget(name):
            await self._in_time(patience, lambda: entry.state != "down")
        member_ = run.roster.members.get(entry.spec.process)
        if entry.state == "up" and member_ is not None:
            self._departed.discard(name)
            member_.order("leave", name)
            await self._in_time(patience, lambda: self._gone(entry))
        self._part(entry, member_)

    async def _all_note(self, patience: float) -> None:
        """Have all processes take note of what was announced."""
        number = next(self._numbers)
        self._noted[number] = set()
        for member in self.run.roster.living():
            member.order("note", number)
        await self._in_time(patience, lambda: self._all_noted(number))
        del self._noted[number]

    def _part(self, entry: Entry, member: Member | None) -> None:
        """Tell everybody that an actor is not there any more, and end its process if it can be."""
        run, name = self.run, entry.spec.name
        if entry.state != "gone":
            run.revival.departed(entry, member)
        entry.state = "off"
        run.audience.left(name)
        if member is not None and member.box is not None and self._empty(member):
            run.roster.bury(member)
            member.order("close", 0)
            self._closing[member.name] = run.aside(self._end(member))

    async def _end(self, member: Member) -> None:
        """See a process end, and tell everybody: it reads nobody's memory any more."""
        await member.end(self.run.plan.run.graceful)
        self.run.roster.announce({"what": "ended", "process": member.name})

    def _empty(self, member: Member) -> bool:
        """Whether nobody lives in a process, or is to come back there."""
        return all(entry.state in {"gone", "off"} for entry in self.run.roster.of(member.name))

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
