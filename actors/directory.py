"""Who lives where: the wiring's answer to every name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce


@dataclass(frozen=True, slots=True)
class Place:
    """Where one actor lives, and what it is: `cls` is its class, or `module:Class`."""

    process: str
    cls: type | str
    incarnation: int = 1
    host: str = ""


class Directory:
    """The places of all actors of a run, and who of them is gone."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = dict(places)
        self._classes: dict[str, type] = {}
        self.gone: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def add(self, name: str, place: Place) -> None:
        """Enter an actor."""
        self._places[name] = place

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
