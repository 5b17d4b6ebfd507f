"""What protocols have declared to hold, checked while they are simulated."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from tether.actors import codec
from tether.actors.cell import Cell
from tether.actors.handlers import handlers
from tether.actors.message import Message
from tether.actors.records import argument_records
from tether.runners.promises import Broken, Flight, Number
from tether.runners.spec import Plan

SUFFIX = "_invariants"


class Life(NamedTuple):
    """One incarnation of an actor."""

    name: str
    incarnation: int


class Call(NamedTuple):
    """A message: who sent it to whom, which it is, and what it holds."""

    source: Life
    target: Life
    method: str
    args: tuple[Any, ...]


class Invariant(Protocol):
    """What a protocol has declared, at work; `tether.protocols.invariant` says what is meant."""

    def made(self, life: Any, actor: Any) -> None:
        """See an actor made."""
        ...

    def before(self, name: str, work: str) -> None:
        """See a piece of heavy work begin."""
        ...

    def after(self, name: str, work: str) -> None:
        """See it done."""
        ...

    def answered(self, call: Any, answer: Any) -> None:
        """See a message answered."""
        ...

    def check(self) -> str:
        """Return what is wrong, or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Leak:
    """What a fault has changed of something conserved: when, why, and how much (a norm)."""

    t: float
    why: str
    size: float


class Declared:
    """All invariants of the protocols of a plan, and what they see of a simulation."""

    def __init__(
        self,
        plan: Plan,
        now: Callable[[], float],
        living: Callable[[], Mapping[str, Any]],
        flights: Mapping[Number, Flight],
        broken: Broken,
    ) -> None:
        self.leaks: list[Leak] = []
        self._now = now
        self._living = living
        self._flights = flights
        self._broken = broken
        self._incarnations: dict[str, int] = {}
        self._classes: dict[str, type] = {}
        self.invariants: list[Invariant] = [cls(self) for cls in classes(plan)]

    @property
    def actors(self) -> Mapping[str, Any]:
        """All actors that live at the moment, by name."""
        return self._living()

    def under_way(self) -> Iterator[Any]:
        """Yield the calls that were sent and are neither begun, dropped nor lost."""
        living = self._living()
        for key, flight in list(self._flights.items()):
            target = flight.target
            if target in living and flight.incarnation >= self._incarnations[target]:
                yield self._call(key, flight)

    def unbegun(self) -> Iterator[Any]:
        """Yield the calls that were sent and are neither begun nor dropped: those, and the lost."""
        for key, flight in list(self._flights.items()):
            if flight.target in self._classes:
                yield self._call(key, flight)

    def _call(self, key: Number, flight: Flight) -> Call:
        if flight.call is None:  # it is looked at after every event, and decoded once
            target = Life(flight.target, flight.incarnation)
            args = _args(self._classes[flight.target], flight)
            flight.call = Call(Life(*key[:2]), target, flight.message.method, args)
        return flight.call

    def leak(self, why: str, size: float) -> None:
        """Keep what a fault has changed of something conserved."""
        self.leaks.append(Leak(self._now(), why, size))

    def made(self, cell: Cell) -> None:
        """See an actor made."""
        self._incarnations[cell.name] = cell.incarnation
        self._classes[cell.name] = type(cell.actor)
        self._tell("made", Life(cell.name, cell.incarnation), cell.actor)

    def before(self, name: str, work: str) -> None:
        """See a piece of heavy work begin."""
        self._tell("before", name, work)

    def after(self, name: str, work: str) -> None:
        """See it done."""
        self._tell("after", name, work)

    def answered(self, cell: Cell, message: Message, value: Any) -> None:
        """See a message answered."""
        if self.invariants:
            pair = message.link.turned
            source = Life(pair.source, pair.source_incarnation)
            target = Life(cell.name, cell.incarnation)
            self._tell("answered", Call(source, target, message.method, ()), value)

    def check(self) -> None:
        """Have all say whether they hold."""
        self._tell("check")

    def _tell(self, what: str, *seen: Any) -> None:
        """Show something to all invariants; one that cannot look at it is broken too."""
        for invariant in self.invariants:
            try:
                sentence = getattr(invariant, what)(*seen)
            except Exception as error:
                sentence = f"{what} raised {type(error).__name__}: {error}"
            if sentence:
                self._broken(f"{type(invariant).__name__}: {sentence}")


def _args(cls: type, flight: Flight) -> tuple[Any, ...]:
    """Return what a message holds, decoded; handles in it are names."""
    handler = handlers(cls)[flight.message.method]
    records = argument_records(handler)
    args, kwargs = codec.decode(flight.message.body, records=records, ref=lambda name: name)
    return (*args, *kwargs.values())


def classes(plan: Plan) -> list[Any]:
    """Return the invariants that stand beside the modules of a plan's actors."""
    modules = dict.fromkeys(spec.actor.partition(":")[0] + SUFFIX for spec in plan)
    found = []
    for name in modules:
        if _is_there(name):
            found += importlib.import_module(name).INVARIANTS
    return found


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # what it would stand in is no package, or not there
        return False
