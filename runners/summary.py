"""How a run ended and what it did: for people in the terminal, for programs in a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

FILE = "summary.json"
LONG = 32
"""More actors than this are shown as one row a table."""

Outcome = Literal["finished", "stopped", "interrupted", "failed"]


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


class ActorRecord(TypedDict):
    """What a process says of one of its actors at the end of the run."""

    actor: str
    pid: int
    steps: int
    accounts: Sequence[AccountRecord]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages as their sender counts them: sent = handled + dropped + unknown + in flight."""

    sent: int = 0
    handled: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    in_flight: int = 0
    bytes: int = 0

    @property
    def unaccounted(self) -> int:
        """Messages that nobody can tell the fate of: 0, or the runtime has a bug."""
        known = self.handled + sum(self.dropped.values()) + self.unknown + self.in_flight
        return self.sent - known


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor of the run: where it lived, how far it came, what it sent, bytes it was sent."""

    name: str
    pid: int
    steps: int
    traffic: Traffic
    bytes_in: int


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


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in one page; `seconds` is its wall time, `accuracy` the last one reported."""

    outcome: Outcome
    reason: str
    seconds: float
    accuracy: float | None
    actors: tuple[Actor, ...]
    edges: tuple[Edge, ...]

    @property
    def traffic(self) -> Traffic:
        """All messages of the run."""
        return add(actor.traffic for actor in self.actors)

    def rate(self, amount: float) -> float:
        """Return an amount a second of the run's wall time; 0 for a run that took none."""
        return amount / self.seconds if self.seconds > 0 else 0.0

    def write(self, run: Path) -> Path:
        """Write `summary.json` into the run directory, whole or not at all; return its path."""
        path, part = run / FILE, run / f"{FILE}.part"
        part.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return part.replace(path)


def summarise(
    outcome: Outcome,
    records: Iterable[ActorRecord],
    *,
    seconds: float,
    reason: str = "",
    accuracy: float | None = None,
) -> Summary:
    """Make a summary of what the processes said; several records of one actor are added up."""
    records = list(records)
    said: dict[str, list[ActorRecord]] = {}
    for record in records:
        said.setdefault(record["actor"], []).append(record)
    received: Counter[str] = Counter()
    for record in records:
        for account in record["accounts"]:
            received[account["to"]] += account["bytes"]
    actors = (_actor(name, mine, received[name]) for name, mine in said.items())
    return Summary(outcome, reason, seconds, accuracy, tuple(actors), tuple(_edges(records)))


def read_summary(run: Path) -> Summary:
    """Return the summary in a run directory; FileNotFoundError when the run has not ended."""
    path = run / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{run} has no {FILE}, which is written when a run ends")
    fields = json.loads(path.read_text(encoding="utf-8"))
    for part in fields["actors"] + fields["edges"]:
        part["traffic"] = Traffic(**part["traffic"])
    actors = tuple(Actor(**actor) for actor in fields.pop("actors"))
    edges = tuple(Edge(**edge) for edge in fields.pop("edges"))
    return Summary(**fields, actors=actors, edges=edges)


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
    )


def render(summary: Summary) -> Group:
    """Return the summary as tables for `rich`."""
    from rich.console import Group
    from rich.text import Text

    accuracy = "" if summary.accuracy is None else f", accuracy {summary.accuracy:.4f}"
    reason = f" ({summary.reason})" if summary.reason else ""
    head = f"{summary.outcome}{reason} after {summary.seconds:.1f} s{accuracy}"
    lines = [Text(head, style="bold green" if summary.outcome == "finished" else "bold yellow")]
    if summary.traffic.unaccounted:
        lost = f"{summary.traffic.unaccounted} messages are unaccounted for: this is a bug"
        lines.append(Text(lost, style="bold red"))
    return Group(*lines, "", _actor_table(summary), "", _edge_table(summary))


def _traffic(account: AccountRecord) -> Traffic:
    return Traffic(
        sent=account["sent"],
        handled=account["handled"],
        dropped=dict(account["dropped"]),
        unknown=account["unknown"],
        in_flight=account["in_flight"],
        bytes=account["bytes"],
    )


def _actor(name: str, records: Sequence[ActorRecord], bytes_in: int) -> Actor:
    traffic = add(_traffic(account) for record in records for account in record["accounts"])
    steps = sum(record["steps"] for record in records)
    return Actor(name, records[-1]["pid"], steps, traffic, bytes_in)


def _edges(records: Iterable[ActorRecord]) -> Iterable[Edge]:
    kinds: dict[tuple[str, str, str], list[Traffic]] = {}
    for record in records:
        for account in record["accounts"]:
            kind = (_table(record["actor"]), _table(account["to"]), account.get("message", ""))
            kinds.setdefault(kind, []).append(_traffic(account))
    return [Edge(*kind, add(parts)) for kind, parts in sorted(kinds.items())]


def _table(actor: str) -> str:
    return actor.partition("/")[0]


def _actor_table(summary: Summary) -> Table:
    rows = _by_table(summary.actors) if len(summary.actors) > LONG else summary.actors
    fates = _fates(row.traffic for row in rows)
    table = _columns("actor", "pid", "steps", "steps/s", *fates, "MB out", "MB in")
    for row in rows:
        pace = (f"{row.steps:,}", f"{summary.rate(row.steps):,.1f}") if row.steps else ("", "")
        pid = str(row.pid) if row.pid else ""
        sizes = (_megabytes(row.traffic.bytes), _megabytes(row.bytes_in))
        table.add_row(row.name, pid, *pace, *_counts(row.traffic, fates), *sizes)
    return table


def _by_table(actors: Iterable[Actor]) -> list[Actor]:
    tables: dict[str, list[Actor]] = {}
    for actor in actors:
        tables.setdefault(_table(actor.name), []).append(actor)
    return [_sum(name, members) for name, members in tables.items()]


def _sum(table: str, members: Sequence[Actor]) -> Actor:
    steps, received = (sum(a.steps for a in members), sum(a.bytes_in for a in members))
    return Actor(f"{table} × {len(members)}", 0, steps, add(a.traffic for a in members), received)


def _edge_table(summary: Summary) -> Table:
    total = Edge("all", "", "", summary.traffic)
    edges = (*summary.edges, total) if len(summary.edges) > 1 else summary.edges
    fates = _fates(edge.traffic for edge in edges)
    table = _columns("messages", *fates, "handled/s", "MB/s")
    for edge in edges:
        rate = f"{summary.rate(edge.traffic.handled):,.1f}"
        volume = _megabytes(summary.rate(edge.traffic.bytes))
        table.add_row(edge.title, *_counts(edge.traffic, fates), rate, volume)
    return table


def _fates(traffic: Iterable[Traffic]) -> list[str]:
    """Return the columns worth showing: what became of messages, where it happened to any."""
    total = add(traffic)
    rare = {
        "dropped": any(total.dropped.values()),
        "unknown": total.unknown,
        "in flight": total.in_flight,
    }
    return ["sent", "handled", *(name for name, happened in rare.items() if happened)]


def _counts(traffic: Traffic, fates: Iterable[str]) -> list[str]:
    dropped = (f"{count:,} {why}" for why, count in sorted(traffic.dropped.items()) if count)
    known = {
        "sent": f"{traffic.sent:,}",
        "handled": f"{traffic.handled:,}",
        "dropped": ", ".join(dropped) or "0",
        "unknown": f"{traffic.unknown:,}",
        "in flight": f"{traffic.in_flight:,}",
    }
    return [known[fate] for fate in fates]


def _columns(first: str, *others: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True)
    for other in others:
        table.add_column(other, justify="right", no_wrap=other != "dropped")
    return table


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f}"
