"""Brings back what has died: a process with its actors, or one actor inside a living process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tether.runners.members import Member
from tether.runners.restart import Restart
from tether.runners.roster import Change, Entry, names_of, up_of
from tether.runners.wills import Rows, rolled_back, will

if TYPE_CHECKING:
    from tether.runners.conductor import Conductor


@dataclass(slots=True)
class Death:
    """What is known of an actor's last death, and of what it came back with."""

    incarnation: int
    why: str
    at: float
    rows: Rows
    checkpoint: str = ""
    step: int = 0
    handled: Mapping[str, int] = field(default_factory=dict)


class Revival:
    """Sees actors die, tells everybody, and starts again whom their supervision lets."""

    def __init__(self, conductor: Conductor) -> None:
        self.run = conductor
        self._deaths: dict[str, Death] = {}
        self._due: dict[str, float] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self._launches: dict[str, asyncio.Future[str]] = {}
        self._spawns: dict[str, asyncio.Future[str]] = {}
        self._ended = False

    def died(self, member: Member, why: str) -> None:
        """See a process end that should not have."""
        run = self.run
        rows = [(key, tuple(row)) for key, row in member.rows()]
        dead = run.roster.here(member.name)
        whole = not (member.box is not None and member.box.incomplete)
        run.roster.bury(member)
        self._fail_waits(member, why)
        if run.began is None:
            self._died_early(member.name, dead, why)
            return
        known = rows if whole else None
        changes = [self._died(entry, why, known) for entry in dead if entry.state == "up"]
        run.roster.announce(*changes, {"what": "ended", "process": member.name})
        self._work(member.name)

    def _died_early(self, process: str, dead: Sequence[Entry], why: str) -> None:
        """See a process die before the run began: nobody has spoken with it yet."""
        if self.run.over.is_set():
            return
        self.run.said.get("ready", set()).discard(process)
        delays = [entry.supervision.died(self.run.clock.now()) for entry in dead]
        patient = [delay for delay in delays if delay is not None]
        if len(patient) == len(delays):
            self.run.task(self.run.launch_first(process, max(patient, default=0.0)))
            return
        reasons = {entry.supervision.gave_up for entry in dead} - {""}
        who = " and ".join(names_of(dead)) or process
        self.run.fail("; ".join([f"{who} died: {why}", *sorted(reasons)]))

    def _fail_waits(self, member: Member, why: str) -> None:
        waits = [self._launches.pop(member.name, None)]
        names = names_of(self.run.roster.of(member.name))
        waits += [self._spawns.pop(name, None) for name in names]
        for wait in waits:
            if wait is not None and not wait.done():
                wait.set_result(why)

    def crashed(self, member: Member, actor: str, why: str, *, returned: bool) -> None:
        """See the life of an actor end, in a process that lives on, by an error of its own.

        Or it has only `returned`, but its actor is permanent.
        """
        entry = self.run.roster.entries[actor]
        if entry.state != "up":
            return
        rows = [(key, tuple(row)) for key, row in member.rows()]
        self.run.roster.announce(self._died(entry, why, rows, returned=returned))
        self._work(member.name)

    def _died(self, entry: Entry, why: str, rows: Rows | None, *, returned: bool = False) -> Change:
        """Note a death; return what everybody is to be told of it."""
        run, name = self.run, entry.spec.name
        here = {each.spec.name: each.incarnation for each in run.roster}
        wills = None if rows is None else will(rows, name, entry.incarnation, here)
        own = [(key, row) for key, row in rows or () if key.local == name]
        self._deaths[name] = Death(entry.incarnation, why, run.clock.now(), own)
        delay = self._delay(entry)
        run.watch.died(name)
        run.roster.died(entry, why, final=delay is None)
        self._decide(entry, why, delay, returned=returned)
        plain = None if wills is None else {source: list(last) for source, last in wills.items()}
        return {"what": "down", "actor": name, "why": why, "wills": plain, "final": delay is None}

    def _delay(self, entry: Entry) -> float | None:
        """Return in how many seconds a dead actor is to come back; None for not at all."""
        if entry.leaving or self._ending:
            return None
        return entry.supervision.died(self.run.clock.now())

    @property
    def _ending(self) -> bool:
        return self._ended or self.run.over.is_set()

    def _decide(
        self, entry: Entry, why: str, delay: float | None, *, returned: bool = False
    ) -> None:
        run, name = self.run, entry.spec.name
        if delay is not None:
            self._due[name] = run.clock.now() + delay
            run.audience.down(name, why, delay)
            return
        run.audience.ended(name)
        if entry.spec.live and entry.present:  # a group is of those who are there
            entry.present = False
            run.roster.announce({"what": "left", "actor": name})
        if self._ending and returned:
            return  # as all lives do at the end
        if self._ending and not entry.leaving:
            run.audience.gave_up(name, f"{why}; the run is ending")
            run.note(f"{name} died: {why}")
        elif entry.supervision.gave_up:
            reason = f"{why}; {entry.supervision.gave_up}"
            run.audience.gave_up(name, reason)
            run.note(f"{name} was given up: {reason}")
        elif not entry.leaving:
            run.audience.gave_up(name, f"{why}; it is temporary")

    def _work(self, process: str) -> None:
        working = self._working.get(process)
        if (working is None or working.done()) and self._dead(process):
            self._working[process] = self.run.task(self._revive(process))

    def _dead(self, process: str) -> list[str]:
        return [e.spec.name for e in self.run.roster.of(process) if e.spec.name in self._due]

    async def _revive(self, process: str) -> None:
        while names := self._dead(process):
            due = max(self._due[name] for name in names)
            await asyncio.sleep(max(0.0, due - self.run.clock.now()))
            names = self._dead(process)
            for name in names:
                del self._due[name]
            member = self.run.roster.members.get(process)
            if member is not None:
                for name in names:
                    await self._spawn(member, name)
            elif names:
                await self._start_anew(process, names)

    def forget(self, actor: str) -> bool:
        """Have a dead actor stay so; tell whether its return had not yet begun."""
        return self._due.pop(actor, None) is not None

    async def _start_anew(self, process: str, names: Sequence[str]) -> None:
        """Start a process again, with those of its actors that come back."""
        run = self.run
        ready = self._launches[process] = run.loop.create_future()
        member = await run.launch(process, names, dict.fromkeys(names), names)
        why = await ready
        if why:
            await self._dismiss(member)
            self._failed(names, why)
            return
        renewed: Change = {"what": "renewed", "process": process}
        self._back(member, names, [renewed], in_place=False)

    async def _dismiss(self, member: Member) -> None:
        """See the end of a process that could not make its actors."""
        if self.run.roster.members.get(member.name) is member:
            del self.run.roster.members[member.name]
            await member.end(0.5)

    async def _spawn(self, member: Member, name: str) -> None:
        """Make an actor again in its living process."""
        made = self._spawns[name] = self.run.loop.create_future()
        member.order("spawn", name, self.run.roster.entries[name].incarnation, {name: None})
        why = await made
        if why and member is self.run.roster.members.get(member.name):
            self._failed([name], why)
        elif why:
            self._due[name] = self.run.clock.now()  # with its process, which is to come back too
        else:
            self._back(member, [name], [], in_place=True)

    def _failed(self, names: Sequence[str], why: str) -> None:
        """See actors fail to come back: that spends a restart too."""
        for name in names:
            entry = self.run.roster.entries[name]
            delay = self._delay(entry)
            self._decide(entry, why, delay)
            if delay is None:
                self.run.roster.lost(entry, why)
                change = {"what": "down", "actor": name, "why": why, "wills": {}, "final": True}
                self.run.roster.announce(change)

    def _back(
        self, member: Member, names: Sequence[str], first: list[Change], *, in_place: bool
    ) -> None:
        """Tell everybody that actors are back, and have them go on."""
        run = self.run
        entries = [run.roster.entries[name] for name in names]
        for entry in entries:
            entry.state = "up"
            run.audience.started(entry.spec.name, entry.pid)
            self._tell(entry, in_place=in_place)
        run.roster.announce(*first, *map(up_of, entries))
        run.roster.remember(run.roster.incarnations())
        begun = [e.spec.name for e in entries if not e.returned or e.spec.restart == "permanent"]
        if begun:
            run.go(member, begun)

    def _tell(self, entry: Entry, *, in_place: bool) -> None:
        run, name = self.run, entry.spec.name
        death = self._deaths[name]
        same = death.handled if death.checkpoint else {}
        messages, steps = rolled_back(death.rows, name, death.incarnation, same, death.step)
        run.audience.restarted(
            Restart(
                t=run.t,
                actor=name,
                incarnation=entry.incarnation,
                why=death.why,
                downtime=run.clock.now() - death.at,
                checkpoint=death.checkpoint,
                step=death.step,
                rolled_back_messages=messages,
                rolled_back_steps=steps,
                in_place=in_place,
            )
        )

    def restored(
        self, actor: str, file: str, incarnation: int, step: int, handled: Mapping[str, int]
    ) -> None:
        """Hear which checkpoint an actor came back with."""
        death = self._deaths.get(actor)
        if death is not None:
            death.checkpoint, death.step = file, step
            death.handled = handled if incarnation == death.incarnation else {}

    def ready(self, member: Member, _pid: int) -> None:
        """Hear that a process has made its actors."""
        self._answer(self._launches, member.name, "")

    def unbuilt(self, member: Member, why: str) -> None:
        """Hear that a process could not make its actors."""
        names = " and ".join(names_of(self.run.roster.here(member.name))) or member.name
        if not self._answer(self._launches, member.name, f"it could not be made: {why}"):
            self.run.fail(f"{names} could not be made: {why}")

    def made(self, _member: Member, actor: str, why: str) -> None:
        """Hear that an actor was made in its living process, or why it was not."""
        self._answer(self._spawns, actor, why and f"it could not be made: {why}")

    def _answer(self, waits: dict[str, asyncio.Future[str]], name: str, why: str) -> bool:
        wait = waits.pop(name, None)
        if wait is None or wait.done():
            return False
        wait.set_result(why)
        return True

    async def joined(self, process: str, names: Sequence[str]) -> str:
        """Make actors that join the run; return why it failed, if it did."""
        run = self.run
        member = run.roster.members.get(process)
        if member is None:
            ready: asyncio.Future[str] = run.loop.create_future()
            self._launches[process] = ready
            member = await run.launch(process, names, {}, names)
            why = await ready
            if why:
                await self._dismiss(member)
            return why
        for name in names:
            made: asyncio.Future[str] = run.loop.create_future()
            self._spawns[name] = made
            member.order("spawn", name, run.roster.entries[name].incarnation, {})
            if why := await made:
                for other in names[: names.index(name)]:
                    member.order("leave", other)
                return why
        return ""

    def departed(self, entry: Entry, member: Member | None) -> None:
        """Tell everybody that an actor has left: what it had not handled by now, it never will."""
        rows = [(key, tuple(row)) for key, row in member.rows()] if member is not None else []
        here = {each.spec.name: each.incarnation for each in self.run.roster}
        name, why = entry.spec.name, "it has left"
        wills = {
            source: list(last) for source, last in will(rows, name, entry.incarnation, here).items()
        }
        self.run.roster.departed(entry, why)
        change = {"what": "down", "actor": name, "why": why, "wills": wills, "final": True}
        self.run.roster.announce(change)

    def end(self) -> None:
        """Bring nobody back any more: the run is ending."""
        run = self.run
        self._ended = True
        for process in [*self._launches]:
            member = run.roster.members.pop(process, None)
            if member is not None:
                member.kill()
                run.leftovers.append(member)
        changes: list[Change] = []
        for entry in run.roster:
            if entry.state == "down":
                why = f"{entry.why}; the run is ending"
                run.roster.lost(entry, why)
                name = entry.spec.name
                changes.append(
                    {"what": "down", "actor": name, "why": why, "wills": {}, "final": True}
                )
        run.roster.announce(*changes)
