"""The network of a simulation, and its clock of computing: how long everything takes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tether.runners.distribution import Distribution, fixed
from tether.runners.spec import ActorSpec

ANY = "*"


@dataclass(frozen=True, slots=True)
class Route:
    """How packets fare from one process to another.

    `bandwidth` is in bytes a second; the shares are of packets that are lost, come twice, or come
    up to `late` seconds later, so that others overtake them.
    """

    latency: Distribution = field(default_factory=lambda: fixed(1e-4))
    bandwidth: float = 1.25e9
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    late: float = 0.01


@dataclass(frozen=True, slots=True)
class Rule:
    """What one [[link]] says of the packets from one to another: an actor, table, host or all."""

    source: str
    target: str
    keys: Mapping[str, Any]

    def fits(self, sources: Collection[str], targets: Collection[str]) -> bool:
        """Tell whether it holds between those of these names."""
        return self.source in sources and self.target in targets

    @property
    def loses(self) -> bool:
        """Whether packets may be lost."""
        return bool(self.keys.get("loss"))


@dataclass(frozen=True, slots=True)
class Network:
    """The network of a simulation, and its clock of computing.

    `compute` has the seconds of a piece of a learner's work, by actor, table or all, and by the
    name of the method it serves; `start` is how long a process takes to start, `line` how long a
    word between a process and its agent takes, and `resend` after how long links resend.
    """

    rules: Sequence[Rule] = ()
    compute: Mapping[str, Mapping[str, Distribution]] = field(default_factory=dict)
    start: Distribution = field(default_factory=lambda: fixed(0.2))
    line: Distribution = field(default_factory=lambda: Distribution("uniform", (1e-4, 2e-3)))
    resend: float = 0.2

    def route(self, sources: Collection[str], targets: Collection[str]) -> Route:
        """Return how packets fare between two processes; of two rules the later one holds."""
        keys: dict[str, Any] = {}
        for rule in self.rules:
            if rule.fits(sources, targets):
                keys.update(rule.keys)
        return replace(Route(), **keys)

    def cost(self, actor: str) -> Mapping[str, Distribution]:
        """Return how long each piece of an actor's work takes, by its name."""
        found = {"gradient": fixed(0.01)}
        for name in (ANY, actor.partition("/")[0], actor):
            found.update(self.compute.get(name, {}))
        return found


def names_of(specs: Iterable[ActorSpec]) -> frozenset[str]:
    """Return by what names a process is called: its actors', their tables' and host's, and *."""
    return frozenset(n for s in specs for n in (s.name, s.table, s.host)) - {""} | {ANY}
