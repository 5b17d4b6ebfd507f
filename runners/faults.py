"""What a faults file says: what goes wrong in a simulation, when, for how long and with whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from tether.runners.distribution import Distribution, fixed
from tether.runners.distribution import read as read_distribution
from tether.runners.network import ANY, Route, Rule
from tether.runners.network_file import ENDS, check_name, ends, known_names, read_link
from tether.runners.problems import Problems, Where, listed, nearest
from tether.runners.quantities import factor
from tether.runners.spec import Plan

Kind = Literal["crash", "pause", "slow", "partition", "link"]
ROUTE = tuple(part.name for part in fields(Route))
WHEN = ("at", "every", "times")
KEYS: Mapping[str, Sequence[str]] = {
    "crash": (*WHEN, "actor", "host", "checkpoint"),
    "pause": (*WHEN, "actor", "host", "for"),
    "slow": (*WHEN, "actor", "host", "for", "factor"),
    "partition": (*WHEN, *ENDS, "for"),
    "link": (*WHEN, *ENDS, "for", *ROUTE),
}
NEEDED: Mapping[str, Sequence[str]] = {
    "pause": ("for",),
    "slow": ("for", "factor"),
    "partition": ("for",),
    "link": ("for",),
}
Victims = tuple[str, ...]
"""Actors whom one fault meets at the same time."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, once or again and again.

    It begins after `at`, then `every` so often, at most `times` times, and `lasts`; all are drawn
    anew each time. A crash, a pause and slowness meet one of `victims`, drawn by chance; a crash
    with `checkpoint` false takes the victims' checkpoints away too. A partition cuts, and a link
    fault spoils, what goes by `rules`.
    """

    kind: Kind
    at: Distribution
    every: Distribution | None = None
    times: int | None = None
    lasts: Distribution = field(default_factory=lambda: fixed(0.0))
    victims: tuple[Victims, ...] = ()
    rules: tuple[Rule, ...] = ()
    factor: float = 1.0
    checkpoint: bool = True


def read_faults(tables: Mapping[str, Any], folder: Path, plan: Plan) -> list[Fault]:
    """Return the faults of a file, in its order; all that is wrong in it raises WiringError."""
    problems, known = Problems(), known_names(plan)
    found = []
    for kind, raws in tables.items():
        if kind not in KEYS or not isinstance(raws, list):
            text = f"there is no such kind of fault{nearest(kind, KEYS)}; [[…]] may be"
            problems.add(Where(kind), f"{text} {listed(KEYS)}")
            continue
        for index, raw in enumerate(raws):
            if not isinstance(raw, Mapping):
                problems.add(Where(kind).at(index).holds(raw), "a table of its keys is wanted")
                continue
            reader = _Reader(kind, raw, Where(kind).at(index), problems, plan, known, folder)
            found.append(reader.fault())
    problems.check()
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    """One table of a faults file."""

    kind: Any
    raw: Mapping[str, Any]
    where: Where
    problems: Problems
    plan: Plan
    known: Collection[str]
    folder: Path

    def fault(self) -> Fault:
        self._check_keys()
        on_links = self.kind in ("partition", "link")
        return Fault(
            kind=self.kind,
            at=self._time("at"),
            every=self._every(),
            times=self._times(),
            lasts=self._time("for"),
            victims=() if on_links else self._victims(),
            rules=self._rules() if on_links else (),
            factor=factor(self.raw.get("factor", 1.0), self.where.at("factor"), self.problems),
            checkpoint=self._checkpoint(),
        )

    def _check_keys(self) -> None:
        taken = KEYS[self.kind]
        for key in self.raw:
            if key not in taken:
                text = f"{self.kind} has no such key{nearest(key, taken)}; it has {listed(taken)}"
                self.problems.add(self.where.at(key), text)
        for key in NEEDED.get(self.kind, ()):
            if key not in self.raw:
                self.problems.add(self.where, f"`{key}` is missing")

    def _time(self, key: str) -> Distribution:
        raw = self.raw.get(key, 0.0)
        return read_distribution(raw, self.where.at(key), self.problems, self.folder)

    def _every(self) -> Distribution | None:
        if "every" not in self.raw:
            return None
        every = self._time("every")
        if every.is_zero:
            text = "it would strike for ever at one moment; a time above 0 is wanted"
            self.problems.add(self.where.at("every").holds(self.raw["every"]), text)
        return every

    def _times(self) -> int | None:
        times: Any = self.raw.get("times")
        if times is not None and "every" not in self.raw:
            text = "without `every` it strikes once; say how often, or leave this out"
            self.problems.add(self.where.at("times").holds(times), text)
        if times is not None and (type(times) is not int or times < 1):
            text = "a whole number from 1 on is wanted"
            self.problems.add(self.where.at("times").holds(times), text)
        return times  # type: ignore[no-any-return]

    def _checkpoint(self) -> bool:
        value = self.raw.get("checkpoint", True)
        if not isinstance(value, bool):
            text = "true is wanted, or false where its checkpoints are lost too"
            self.problems.add(self.where.at("checkpoint").holds(value), text)
        return bool(value)

    def _victims(self) -> tuple[Victims, ...]:
        """Return whom it may meet: one actor of those named, or all of one host together."""
        if ("actor" in self.raw) == ("host" in self.raw):
            self.problems.add(self.where, "either `actor` or `host` is wanted")
            return ()
        key = "actor" if "actor" in self.raw else "host"
        named = self.raw[key] if isinstance(self.raw[key], list) else [self.raw[key]]
        for name in named:
            check_name(name, self.where.at(key), self.problems, self.known)
        names = [name for name in named if isinstance(name, str)]
        if key == "host":
            hosts = (tuple(s.name for s in self.plan if s.host == name) for name in names)
            found = tuple(host for host in hosts if host)
        else:
            found = tuple((s.name,) for s in self.plan if {s.name, s.table, ANY} & {*names})
        if not found and {*names} <= {*self.known}:
            text = f"this is the name of no {key}"
            self.problems.add(self.where.at(key).holds(self.raw[key]), text)
        return found

    def _rules(self) -> tuple[Rule, ...]:
        keys = {
            key: read_link(key, self.raw[key], self.where.at(key), self.problems, self.folder)
            for key in ROUTE
            if key in self.raw
        }
        found = ends(self.raw, self.where, self.problems, self.known)
        return tuple(Rule(source, target, keys) for source, target in found)
