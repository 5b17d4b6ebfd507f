"""Makes go wrong in a simulation what its faults say, each by a stream of chance of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tether.runners.faults import Fault, Victims
from tether.runners.medium import Trouble
from tether.runners.scope import Scope
from tether.runners.simulated import Simulated

if TYPE_CHECKING:
    from tether.runners.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault as it came about: what, whom it met, and from when to when, in seconds."""

    kind: str
    victims: Victims
    begins: float
    ends: float

    @property
    def text(self) -> str:
        """What happened, and to whom."""
        return f"{self.kind} {' '.join(self.victims)}".strip()


class Chaos:
    """The faults of one simulation, from the moment the run begins to its end."""

    def __init__(self, simulation: Simulation, faults: Sequence[Fault]) -> None:
        self.simulation = simulation
        self.faults = faults
        self.strikes: list[Strike] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._paused: Counter[Scope] = Counter()
        self._mending: dict[asyncio.TimerHandle, Callable[[], None]] = {}

    def begin(self) -> None:
        """Let things go wrong from now on."""
        for index, fault in enumerate(self.faults):
            random = self.simulation.clock.random(f"fault {index} {fault.kind}")
            name = f"fault {index}: {fault.kind}"
            task = asyncio.get_running_loop().create_task(self._unfold(fault, random), name=name)
            self._tasks.append(task)

    def end(self) -> None:
        """Mend all, and let nothing more go wrong."""
        for task in self._tasks:
            task.cancel()
        for timer, mend in list(self._mending.items()):
            timer.cancel()
            mend()
        self._mending.clear()

    async def _unfold(self, fault: Fault, random: Random) -> None:
        await asyncio.sleep(fault.at.sampler(random)())
        lasts = fault.lasts.sampler(random)
        again = fault.every.sampler(random) if fault.every is not None else None
        struck = 0
        while True:
            self._strike(fault, random, lasts())
            struck += 1
            if again is None or struck == fault.times:
                return
            await asyncio.sleep(again())

    def _strike(self, fault: Fault, random: Random, lasts: float) -> None:
        victims: Victims = random.choice(fault.victims) if fault.victims else ()
        named = victims or tuple(f"{rule.source}→{rule.target}" for rule in fault.rules)
        now = self.simulation.clock.now()
        mend = getattr(self, f"_{fault.kind}")(fault, victims)
        self.strikes.append(Strike(fault.kind, named, now, now + lasts))
        self.simulation.note(self.strikes[-1].text)
        if mend is not None:
            self._mend_later(lasts, mend)

    def _mend_later(self, lasts: float, mend: Callable[[], None]) -> None:
        def mended() -> None:
            del self._mending[timer]
            mend()

        timer = asyncio.get_running_loop().call_later(lasts, mended)
        self._mending[timer] = mend

    def _members(self, victims: Victims) -> list[Simulated]:
        """Return the living processes of some actors."""
        plan, members = self.simulation.plan, self.simulation.members
        processes = dict.fromkeys(plan.actor(name).process for name in victims)
        return [members[name] for name in processes if name in members]

    def _crash(self, fault: Fault, victims: Victims) -> None:
        for member in self._members(victims):
            if not fault.checkpoint:
                self.simulation.lose_checkpoints(member.name)
            member.kill()

    def _pause(self, _fault: Fault, victims: Victims) -> Callable[[], None]:
        scopes = [member.scope for member in self._members(victims)]
        for scope in scopes:
            scope.stop()
        self._paused.update(scopes)

        def go_on() -> None:
            self._paused.subtract(scopes)
            for scope in scopes:
                if not self._paused[scope]:  # of two pauses the longer one holds
                    scope.go_on()

        return go_on

    def _slow(self, fault: Fault, victims: Victims) -> Callable[[], None]:
        slow = victims, fault.factor
        self.simulation.slowness.append(slow)
        return lambda: self.simulation.slowness.remove(slow)

    def _partition(self, fault: Fault, _victims: Victims) -> Callable[[], None]:
        return self._trouble(Trouble(fault.rules, cut=True))

    def _link(self, fault: Fault, _victims: Victims) -> Callable[[], None]:
        return self._trouble(Trouble(fault.rules))

    def _trouble(self, trouble: Trouble) -> Callable[[], None]:
        medium = self.simulation.medium
        medium.begin(trouble)
        return lambda: medium.end(trouble)
