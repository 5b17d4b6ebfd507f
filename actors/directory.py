"""Who lives where, in which incarnation, and who is not there: the answer to every name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce


@dataclass(frozen=True, slots=True)
class Place:
    """Where one actor lives, and what it is: `cls` is its class, or `module:Class`."""

    process: str
    cls: type | str
    incarnation: int = 1
    host: str = ""


class Directory:
    """The places of all actors of a run, and who of them is not there."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = dict(places)
        self._classes: dict[str, type] = {}
        self.down: dict[str, str] = {}
        """Who is dead and will come back, and why."""
        self.gone: dict[str, str] = {}
        """Who will not come back, and why."""
        self.unreachable: dict[str, str] = {}
        """Of whom nothing is heard, though it may be alive."""

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def add(self, name: str, place: Place) -> None:
        """Enter an actor that is alive, for the first time or again."""
        self._places[name] = place
        for absent in (self.down, self.gone, self.unreachable):
            absent.pop(name, None)

    def died(self, name: str, why: str, incarnation: int, *, final: bool) -> None:
        """Note a death; what is said from now on waits for that next incarnation, or for nobody."""
        self._places[name] = replace(self.place(name), incarnation=incarnation)
        self.unreachable.pop(name, None)
        (self.gone if final else self.down)[name] = why
        (self.down if final else self.gone).pop(name, None)

    def absent(self, name: str) -> bool:
        """Whether what is sent to an actor has to wait for its next incarnation."""
        return name in self.down or name in self.gone

    def place(self, name: str) -> Place:
        """Return where an actor lives; raises LookupError naming those there are."""
        place = self._places.get(name)
        if place is None:
            known = ", ".join(sorted(self._places)[:8])
            raise LookupError(f"there is no actor {name} in this run; there are {known}")
        return place

    def actor_class(self, name: str) -> type:
        """Return an actor's class, imported when it is first spoken to."""
        cls = self._classes.get(name)
        if cls is None:
            cls = self._classes[name] = _imported(self.place(name).cls)
        return cls


def _imported(cls: type | str) -> type:
    if isinstance(cls, type):
        return cls
    module, _, path = cls.partition(":")
    found: type = reduce(getattr, path.split("."), importlib.import_module(module))  # type: ignore[assignment]
    return found
