"""A plan: everything a process must know to host its actors, resolved and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tether.runners.values import (
    DictValue,
    GroupOf,
    ListValue,
    Make,
    RefTo,
    Special,
    Value,
    tree_from_wire,
    tree_to_wire,
)

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many actors a live table begins with, and between how many it may have."""

    start: int
    min: int
    max: int

    def __str__(self) -> str:
        return f"{self.min} to {self.max}"


@dataclass(frozen=True, slots=True)
class ActorSpec:
    """One actor: its class, where it runs, how it is restarted, what it is built from.

    `host` is "" in a file without hosts. `device` is as seen inside the process, which sees only
    its own GPU ("cuda:0"); `gpu` is that GPU's number on the host. `max_seconds` is the time in
    which `max_restarts` may happen. In a `live` table `count` is the most it may have, and only
    what `starts` is there from the beginning.
    """

    name: str
    table: str
    index: int
    count: int
    actor: str
    host: str
    device: str
    gpu: int | None
    process: str
    threads: int
    seed: int
    restart: str
    max_restarts: int
    max_seconds: float
    arguments: Mapping[str, Value]
    live: bool = False
    starts: bool = True

    def to_wire(self) -> dict[str, Any]:
        """Return plain data that msgpack can carry."""
        plain = {key: getattr(self, key) for key in self.__slots__}
        return plain | {"arguments": tree_to_wire(self.arguments)}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> ActorSpec:
        """Return the spec that `to_wire` wrote."""
        return cls(**(dict(data) | {"arguments": tree_from_wire(data["arguments"])}))


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """How tensors that the actors of one table send to those of another are made smaller."""

    source: str
    target: str
    codec: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def edge(self) -> str:
        """The edge as it stands in a wiring: `worker -> center`."""
        return f"{self.source} -> {self.target}"

    def __str__(self) -> str:
        return ", ".join(
            [self.codec, *(f"{key} {value}" for key, value in self.parameters.items())]
        )


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What holds for the whole run; all times in seconds.

    `messages` and `bytes` bound what one actor may have under way to another. A host or process is
    reported as unreachable or hung after that much silence and given up when `lost`; `graceful` is
    the time to end in, of which mailboxes get `drain`. A checkpoint is taken every `checkpoint`
    (0: never); an event loop held for longer than `stall` is reported. A host whose agent is not
    there is waited for during `wait`. Where there is a core for each process, an event loop stays
    awake for `spin` after each frame that moves within its host. `encryption` is of what goes
    between hosts: "on", "control" (bulk travels openly) or "off"; `bind` is "address" or "all".
    """

    name: str
    seed: int = 0
    device: str | None = None
    messages: int = 64
    bytes: int = 64 * MIB
    beat: float = 1.0
    unreachable: float = 5.0
    hung: float = 30.0
    lost: float = 60.0
    graceful: float = 3.0
    drain: float = 2.0
    checkpoint: float = 10.0
    stall: float = 1.0
    spin: float = 0.0001
    encryption: str = "on"
    bind: str = "address"
    wait: float = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked wiring: the run, its hosts (name → address), its actors in the file's order.

    Of a live table, which `bounds` names, it has all who may ever be there. `codecs` are those of
    [edges], the other edges have none. `folder` is the
    wiring's, first on sys.path wherever its modules are imported. `objects` holds what the linker
    has already imported, by path, for worlds in the linker's own process; `notes` says what could
    not be checked. Neither travels.
    """

    run: RunSpec
    hosts: Mapping[str, str]
    actors: tuple[ActorSpec, ...]
    folder: Path
    digests: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    codecs: tuple[CodecSpec, ...] = ()
    objects: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __iter__(self) -> Iterator[ActorSpec]:
        return iter(self.actors)

    @property
    def home(self) -> str:
        """The host that owns the run directory and the end of the run: the first of the file."""
        return next(iter(self.hosts), "")

    def actor(self, name: str) -> ActorSpec:
        """Return the spec of the actor `name` ("worker/3"; "center" means "center/0")."""
        for spec in self.actors:
            if name in (spec.name, spec.table):
                return spec
        raise KeyError(f"{self.run.name} has no actor {name!r}; it has {self._names()}")

    def _names(self) -> str:
        return ", ".join(spec.name for spec in self.actors)

    def table(self, name: str) -> tuple[ActorSpec, ...]:
        """Return the specs of one table, by index."""
        return tuple(spec for spec in self.actors if spec.table == name)

    def starting(self) -> Plan:
        """Return the plan of those alone who are there from the beginning."""
        return replace(self, actors=tuple(spec for spec in self.actors if spec.starts))

    def processes(self, host: str = "") -> dict[str, tuple[ActorSpec, ...]]:
        """Return the actors of each process of a host, in the file's order.

        A process may be one that only begins with an actor that joins: `starting()` has the others.
        """
        found: dict[str, list[ActorSpec]] = {}
        for spec in self.actors:
            if spec.host == host:
                found.setdefault(spec.process, []).append(spec)
        return {process: tuple(specs) for process, specs in found.items()}

    def to_wire(self) -> dict[str, Any]:
        """Return plain data that msgpack can carry."""
        return {
            "run": asdict(self.run),
            "hosts": dict(self.hosts),
            "actors": [spec.to_wire() for spec in self.actors],
            "folder": str(self.folder),
            "digests": dict(self.digests),
            "bounds": {table: asdict(bounds) for table, bounds in self.bounds.items()},
            "codecs": [asdict(codec) for codec in self.codecs],
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_wire` wrote, without importing anything it names."""
        return cls(
            run=RunSpec(**data["run"]),
            hosts=dict(data["hosts"]),
            actors=tuple(ActorSpec.from_wire(spec) for spec in data["actors"]),
            folder=Path(data["folder"]),
            digests=dict(data["digests"]),
            bounds={table: Bounds(**bounds) for table, bounds in data["bounds"].items()},
            codecs=tuple(CodecSpec(**codec) for codec in data.get("codecs", ())),
        )


__all__ = [
    "MIB",
    "ActorSpec",
    "Bounds",
    "CodecSpec",
    "DictValue",
    "GroupOf",
    "ListValue",
    "Make",
    "Plan",
    "RefTo",
    "RunSpec",
    "Special",
    "Value",
]
