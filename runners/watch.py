"""Looks at the beats of all processes: who is silent, whose loop is held up, who is slow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tether.runners.liveness import Liveness, State
from tether.runners.members import Member
from tether.runners.pace import Pace
from tether.runners.roster import Change

if TYPE_CHECKING:
    from tether.runners.conductor import Conductor


class Watch:
    """Tells a silent process from a held-up loop and from a slow step; it kills nobody."""

    def __init__(self, conductor: Conductor) -> None:
        self.run_ = conductor
        self._known: dict[Member, Liveness] = {}
        self._paces: dict[str, Pace] = {}
        self._slow: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self.run_.plan.run.beat)
            self.look()

    def look(self) -> None:
        """Look once."""
        run, now = self.run_, self.run_.clock.now()
        living = run.roster.living()
        self._known = {member: self._liveness(member) for member in living if member.box}
        for member, liveness in self._known.items():
            box = member.box
            if box is None or not box.process_beat:
                continue
            change = liveness.change(now, box.process_beat, box.loop_beat, box.stall)
            if change is not None:
                self._changed(member, change, now)
        self._look_for_slow(now)

    def _liveness(self, member: Member) -> Liveness:
        times = self.run_.plan.run
        known = self._known.get(member)
        return known or Liveness(times.beat, times.unreachable, times.hung)

    def _changed(self, member: Member, state: State, now: float) -> None:
        run = self.run_
        for entry in run.roster.here(member.name):
            name = entry.spec.name
            silent = state.kind == "unreachable"
            if silent != entry.unreachable:
                entry.unreachable = silent
                why = f"nothing was heard of its process for {now - state.since:.3g} s"
                what = "unreachable" if silent else "reachable"
                change: Change = {"what": what, "actor": name, "why": why}
                run.roster.announce(change)
                if silent:
                    run.audience.unreachable(name, why)
            if state.kind == "hung":
                why = state.stall or f"its event loop has not moved for {now - state.since:.3g} s"
                run.audience.hung(name, why)
            elif not silent:
                run.audience.reachable(name)

    def reported(self, actor: str, now: float, step: int) -> None:
        """Note a step."""
        patience = 2 * self.run_.plan.run.unreachable  # who is silent is told to be so before
        self._paces.setdefault(actor, Pace(patience)).reported(now, step)
        if actor in self._slow:
            self._slow.discard(actor)
            self.run_.audience.reachable(actor)

    def died(self, actor: str) -> None:
        """Forget how fast an actor was: it begins anew."""
        self._paces.pop(actor, None)
        self._slow.discard(actor)

    def _look_for_slow(self, now: float) -> None:
        for actor, pace in self._paces.items():
            entry = self.run_.roster.entries[actor]
            why = pace.slow(now) if entry.lives and entry.state == "up" else ""
            if why and not entry.unreachable:
                self._slow.add(actor)
                self.run_.audience.slow(actor, why)
