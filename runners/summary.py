"""How a run ended and what it did: for people in the terminal, for programs in a file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NotRequired, TypedDict

from tether.runners.curves import table_of
from tether.runners.restart import Restart

if TYPE_CHECKING:
    from rich.console import Group

FILE = "summary.json"

Outcome = Literal["finished", "stopped", "interrupted", "failed"]


class Compressed(TypedDict):
    """Bytes of tensors before and after compressing; Σ bytes × relative error of each."""

    raw: int
    packed: int
    error: float


class AccountRecord(TypedDict):
    """What a process says of the messages one of its actors sent to one other actor."""

    to: str
    message: NotRequired[str]
    sent: int
    handled: int
    dropped: Mapping[str, int]
    unknown: int
    in_flight: int
    bytes: int
    compressed: NotRequired[Compressed]


class ActorRecord(TypedDict):
    """What a process says of one of its actors at the end of the run."""

    actor: str
    pid: int
    steps: int
    accounts: Sequence[AccountRecord]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages as their sender counts them: sent = handled + dropped + unknown + in flight.

    `raw` and `packed` are the bytes of tensors before and after they were compressed; `error` is
    the sum, over these tensors, of their bytes × ‖x − decoded‖ / ‖x‖.
    """

    sent: int = 0
    handled: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    in_flight: int = 0
    bytes: int = 0
    raw: int = 0
    packed: int = 0
    error: float = 0.0

    @property
    def relative_error(self) -> float:
        """The mean relative error that compressing has introduced, weighted by size."""
        return self.error / self.raw if self.raw else 0.0

    @property
    def unaccounted(self) -> int:
        """Messages that nobody can tell the fate of: 0, or the runtime has a bug."""
        known = self.handled + sum(self.dropped.values()) + self.unknown + self.in_flight
        return self.sent - known


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor of the run: where it lived, how far it came, what it sent, bytes it was sent.

    `queue` is the most messages that waited for it at a time, `held` the most of its own calls that
    were held back by full receivers.
    """

    name: str
    pid: int
    steps: int
    traffic: Traffic
    bytes_in: int
    queue: int = 0
    held: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """All messages of one kind from the actors of one table to those of another."""

    source: str
    target: str
    message: str
    traffic: Traffic

    @property
    def title(self) -> str:
        """The edge as people write it: `worker → center.exchange`."""
        ends = f"{self.source} → {self.target}" if self.target else self.source
        return f"{ends}.{self.message}" if self.message else ends


class Queue(NamedTuple):
    """How many messages wait for an actor, and how many of its own calls are held back."""

    waiting: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Stall:
    """What held the event loop of a process, and for how many seconds."""

    text: str
    seconds: float

    @property
    def what(self) -> str:
        """The text without how long it had lasted when it was seen: the same each time."""
        return re.sub(r" has held the event loop for [\d.]+ s\b", "", self.text)


@dataclass(frozen=True, slots=True)
class Change:
    """A member that came or went while the run went on, `t` seconds after its start."""

    t: float
    actor: str
    change: Literal["joined", "left"]


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in one page; `seconds` is its wall time, `accuracy` the last one reported.

    `gave_up` says by actor why it was not restarted any more.
    """

    outcome: Outcome
    reason: str
    seconds: float
    accuracy: float | None
    actors: tuple[Actor, ...]
    edges: tuple[Edge, ...]
    restarts: tuple[Restart, ...] = ()
    gave_up: dict[str, str] = field(default_factory=dict)
    stalls: tuple[Stall, ...] = ()
    membership: tuple[Change, ...] = ()

    @property
    def traffic(self) -> Traffic:
        """All messages of the run."""
        return add(actor.traffic for actor in self.actors)

    @property
    def unaccounted(self) -> int:
        """Messages of unknown fate, also where as many too few and too many make up a zero."""
        by_actor = sum(abs(actor.traffic.unaccounted) for actor in self.actors)
        return max(by_actor, sum(abs(edge.traffic.unaccounted) for edge in self.edges))

    def rate(self, amount: float) -> float:
        """Return an amount a second of the run's wall time; 0 for a run that took none."""
        return amount / self.seconds if self.seconds > 0 else 0.0

    def write(self, run: Path) -> Path:
        """Write `summary.json` into the run directory, whole or not at all; return its path."""
        path, part = run / FILE, run / f"{FILE}.part"
        part.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return part.replace(path)


ROWS: dict[str, type[Any]] = {
    "actors": Actor,
    "edges": Edge,
    "restarts": Restart,
    "stalls": Stall,
    "membership": Change,
}
"""What the lists of a summary are of."""


def summarise(
    outcome: Outcome,
    records: Iterable[ActorRecord],
    *,
    seconds: float,
    reason: str = "",
    accuracy: float | None = None,
    restarts: Iterable[Restart] = (),
    gave_up: Mapping[str, str] = {},
    stalls: Iterable[Stall] = (),
    membership: Iterable[Change] = (),
    peaks: Mapping[str, Queue] = {},
) -> Summary:
    """Make a summary of what the processes said; several records of one actor are added up.

    `peaks` has the longest queues by actor.
    """
    records, restarts = list(records), tuple(restarts)
    times = Counter(restart.actor for restart in restarts)
    actors = [
        _with_peak(actor, peaks.get(actor.name, Queue()), times[actor.name])
        for actor in _actors(records)
    ]
    return Summary(
        outcome,
        reason,
        seconds,
        accuracy,
        tuple(actors),
        tuple(_edges(records)),
        restarts,
        dict(gave_up),
        tuple(stalls),
        tuple(membership),
    )


def read_summary(run: Path) -> Summary:
    """Return the summary in a run directory; FileNotFoundError when the run has not ended.

    What an older version did not write has its default.
    """
    path = run / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{run} has no {FILE}, which is written when a run ends")
    fields = json.loads(path.read_text(encoding="utf-8"))
    for part in fields["actors"] + fields["edges"]:
        part["traffic"] = Traffic(**part["traffic"])
    rows: dict[str, Any] = {
        name: tuple(kind(**row) for row in fields.pop(name, ())) for name, kind in ROWS.items()
    }
    return Summary(**fields, **rows)


def add(traffic: Iterable[Traffic]) -> Traffic:
    """Return the sum of several accounts."""
    parts = list(traffic)
    dropped: Counter[str] = Counter()
    for part in parts:
        dropped.update(part.dropped)
    return Traffic(
        sent=sum(part.sent for part in parts),
        handled=sum(part.handled for part in parts),
        dropped=dict(dropped),
        unknown=sum(part.unknown for part in parts),
        in_flight=sum(part.in_flight for part in parts),
        bytes=sum(part.bytes for part in parts),
        raw=sum(part.raw for part in parts),
        packed=sum(part.packed for part in parts),
        error=sum(part.error for part in parts),
    )


def render(summary: Summary) -> Group:
    """Return the summary as tables for `rich`."""
    from tether.runners.page import page

    return page(summary)


def _traffic(account: AccountRecord) -> Traffic:
    return Traffic(
        sent=account["sent"],
        handled=account["handled"],
        dropped=dict(account["dropped"]),
        unknown=account["unknown"],
        in_flight=account["in_flight"],
        bytes=account["bytes"],
        **account.get("compressed", {}),
    )


def _actors(records: Sequence[ActorRecord]) -> Iterable[Actor]:
    said: dict[str, list[ActorRecord]] = {}
    received: Counter[str] = Counter()
    for record in records:
        said.setdefault(record["actor"], []).append(record)
        for account in record["accounts"]:
            received[account["to"]] += account["bytes"]
    return [_actor(name, mine, received[name]) for name, mine in said.items()]


def _with_peak(actor: Actor, peak: Queue, restarts: int) -> Actor:
    return replace(actor, queue=peak.waiting, held=peak.held, restarts=restarts)


def _actor(name: str, records: Sequence[ActorRecord], bytes_in: int) -> Actor:
    traffic = add(_traffic(account) for record in records for account in record["accounts"])
    steps = sum(record["steps"] for record in records)
    return Actor(name, records[-1]["pid"], steps, traffic, bytes_in)


def _edges(records: Iterable[ActorRecord]) -> Iterable[Edge]:
    kinds: dict[tuple[str, str, str], list[Traffic]] = {}
    for record in records:
        for account in record["accounts"]:
            kind = (table_of(record["actor"]), table_of(account["to"]), account.get("message", ""))
            kinds.setdefault(kind, []).append(_traffic(account))
    return [Edge(*kind, add(parts)) for kind, parts in sorted(kinds.items())]
