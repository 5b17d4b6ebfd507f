"""The worlds one protocol may be played in, and what can be done to it there from outside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import uvloop

from tests.conformance.cutting import CUT, CUTS
from tests.conformance.gates import doom, until
from tether.runners import virtual
from tether.runners.medium import Trouble
from tether.runners.network import ANY, Rule
from tether.runners.restart import Restart
from tether.runners.tally import Tally
from tether.runners.world import Kind, World

F = TypeVar("F", bound=Callable[..., None])
T = TypeVar("T")
Ability = Literal["block", "kill", "stop", "cut"]
"""What can be done: to block an event loop and no other, to kill and to stop a process, and to cut
its lines."""
CUT_FOR = 0.5
"""Seconds of virtual time for which nothing comes through where a line is cut."""


def needs(*abilities: Ability) -> Callable[[F], F]:
    """Have a test played only where all of this can be done to actors."""

    def mark(test: F) -> F:
        vars(test)["needs"] = frozenset(abilities)
        return test

    return mark


class Hand:
    """What can be done to the actors of any world from outside."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.tally = self._listening()

    def _listening(self) -> Tally:
        """Return what is told of the run, from now on."""
        tally = Tally(time.monotonic, lambda _restart: None)
        self.world._conductor.audience = tally
        return tally

    def crash(self, actor: str) -> None:
        """Have the life of a mortal fail; its process lives on."""
        incarnation = self.world._conductor.roster.entries[actor].incarnation
        doom(str(self.folder), actor, incarnation).touch()

    def end(self, actor: str, death: str) -> None:
        """Have an actor die in one of the ways there are."""
        {"crash": self.crash, "kill": self.kill}[death](actor)

    async def keep(self) -> None:
        """Have all states kept in a round of checkpoints."""
        await self.world._conductor.rounds.take(10.0)

    def returns(self, actor: str) -> list[Restart]:
        """Return how an actor came back, each time that it did."""
        return [restart for restart in self.tally.restarts if restart.actor == actor]

    def has_ended(self, actor: str, incarnation: int) -> bool:
        """Tell whether the program outside knows an incarnation of an actor to be dead."""
        process = self.world._process
        assert process is not None
        return process.node.directory.place(actor).incarnation > incarnation

    def is_gone(self, actor: str) -> bool:
        """Tell whether an actor is known to be dead, and will not come back."""
        return self.world._conductor.roster.entries[actor].state == "gone"

    @property
    def dead(self) -> set[str]:
        """Who has died, whether or not it came back; known once the run has ended."""
        self.tally.end()
        gone = {span.actor for span in self.tally.spans if span.what == "down"}
        return gone | {restart.actor for restart in self.tally.restarts}

    def kill(self, actor: str) -> None:
        """Kill an actor's process, which learns nothing of it."""
        raise NotImplementedError("nobody can be killed here: write @needs('kill')")

    def stop(self, actor: str) -> None:
        """Have nothing of an actor's process run until it goes on."""
        raise NotImplementedError("nobody can be stopped here: write @needs('stop')")

    def go_on(self, actor: str) -> None:
        """Have a stopped process go on."""
        raise NotImplementedError("nobody can be stopped here: write @needs('stop')")

    async def cut(self, actor: str) -> None:
        """Break all connections of an actor's process: what is in them is lost."""
        raise NotImplementedError("no line can be cut here: write @needs('cut')")


class Signals(Hand):
    """Reaches real processes, by their ids."""

    def _signal(self, actor: str, number: signal.Signals) -> None:
        os.kill(self.world._conductor.roster.entries[actor].pid, number)

    def kill(self, actor: str) -> None:
        self._signal(actor, signal.SIGKILL)

    def stop(self, actor: str) -> None:
        self._signal(actor, signal.SIGSTOP)

    def go_on(self, actor: str) -> None:
        self._signal(actor, signal.SIGCONT)

    async def cut(self, actor: str) -> None:
        before = broken()
        self._signal(actor, CUT)
        await until(lambda: broken() > before)


def broken() -> int:
    """Return how many connections have been broken in this test."""
    path = Path(os.environ[CUTS])
    return path.stat().st_size if path.exists() else 0


class Puppets(Hand):
    """Reaches simulated processes."""

    def _listening(self) -> Tally:
        assert self.world.simulation is not None
        self.simulation = self.world.simulation
        return self.simulation.tally

    def _process(self, actor: str) -> Any:
        return self.simulation.members[self.simulation.plan.actor(actor).process]

    def kill(self, actor: str) -> None:
        self._process(actor).kill()

    def stop(self, actor: str) -> None:
        self._process(actor).scope.stop()

    def go_on(self, actor: str) -> None:
        self._process(actor).scope.go_on()

    async def cut(self, actor: str) -> None:
        medium = self.simulation.medium
        trouble = Trouble((Rule(actor, ANY, {}), Rule(ANY, actor, {})), cut=True)
        medium.begin(trouble)
        self.simulation.loop.call_later(CUT_FOR, medium.end, trouble)


@dataclass(frozen=True)
class Where:
    """One world: how a program is run that opens it, and what can be done there from outside."""

    kind: Kind
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    hand: type[Hand]
    can: frozenset[Ability]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deaths(self) -> tuple[str, ...]:
        """In what ways an actor can die."""
        return ("crash", "kill") if "kill" in self.can else ("crash",)

    @property
    def is_real(self) -> bool:
        """Whether its time is that of the clock on the wall."""
        return self.kind != "simulated"


BAD = {"link": [{"loss": 0.05, "duplicate": 0.1, "reorder": 0.2, "late": 0.02}]}
"""A network that loses, doubles and reorders packets, between all."""
ALL: frozenset[Ability] = frozenset({"block", "kill", "stop", "cut"})

WORLDS: Mapping[str, Where] = {
    "local": Where("local", uvloop.run, Hand, frozenset()),
    "processes": Where("processes", uvloop.run, Signals, ALL),
    "tcp": Where("processes", uvloop.run, Signals, ALL, {"by": "tcp"}),
    "simulated": Where("simulated", virtual.run, Puppets, ALL - {"block", "cut"}),
    "bad network": Where(
        "simulated", virtual.run, Puppets, ALL - {"block"}, {"network": BAD, "seed": 7}
    ),
}
"""All worlds in which a protocol has to mean the same; another one is one line more."""
