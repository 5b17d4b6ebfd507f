"""The last page of a run, as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tether.runners.curves import table_of
from tether.runners.restart import Restart, rolled_back
from tether.runners.summary import Actor, Edge, Stall, Summary, Traffic, add

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

LONG = 32
"""More actors than this are shown as one row a table."""
MANY = 20
"""More restarts than this are shown as one row an actor, more changes as one a table."""
WORDY = {"dropped", "from", "rolled back", "why", "stalls"}
"""Columns that may take several lines."""


def page(summary: Summary) -> Group:
    """Return the page: how the run ended, who did what, what became of messages, what went wrong.

    Only what happened has a table.
    """
    from rich.console import Group

    parts: list[Text | Table | str] = list(_head(summary))
    for table in (
        _actor_table(summary),
        _edge_table(summary),
        _compression_table(summary),
        _sender_table(summary),
        _queue_table(summary),
        _restart_table(summary.restarts),
        _stall_table(summary.stalls),
        _membership_table(summary),
    ):
        parts += ["", table] if table.row_count else []
    return Group(*parts)


def _head(summary: Summary) -> Iterator[Text]:
    from rich.text import Text

    accuracy = "" if summary.accuracy is None else f", accuracy {summary.accuracy:.4f}"
    reason = f" ({summary.reason})" if summary.reason else ""
    head = f"{summary.outcome}{reason} after {summary.seconds:.1f} s{accuracy}"
    yield Text(head, style="bold green" if summary.outcome == "finished" else "bold yellow")
    for actor, why in summary.gave_up.items():
        yield Text(f"{actor} was given up: {why}", style="red")
    if summary.unaccounted:
        lost = f"{summary.unaccounted} messages are unaccounted for: this is a bug"
        yield Text(lost, style="bold red")


def _actor_table(summary: Summary) -> Table:
    table = _columns("actor", "pid", "steps", "steps/s", "sent", "handled", "MB out", "MB in")
    for row in _rows(summary):
        pace = (f"{row.steps:,}", f"{summary.rate(row.steps):,.1f}") if row.steps else ("", "")
        pid = str(row.pid) if row.pid else ""
        counts = _counts(row.traffic, ("sent", "handled"))
        sizes = (_megabytes(row.traffic.bytes), _megabytes(row.bytes_in))
        table.add_row(row.name, pid, *pace, *counts, *sizes)
    return table


def _sender_table(summary: Summary) -> Table:
    """Return what became of the messages of each actor, if not all were handled."""
    rows = [row for row in _rows(summary) if row.traffic.sent]
    fates = _fates(row.traffic for row in rows)
    table = _columns("sent by", *fates)
    for row in rows if fates != _fates(()) else ():
        table.add_row(row.name, *_counts(row.traffic, fates))
    return table


def _queue_table(summary: Summary) -> Table:
    table = _columns("longest queues", "waiting", "held")
    for row in _rows(summary):
        if row.queue or row.held:
            table.add_row(row.name, f"{row.queue:,}", f"{row.held:,}")
    return table


def _rows(summary: Summary) -> Sequence[Actor]:
    """Return the actors, or their tables where they are very many."""
    return _by_table(summary.actors) if len(summary.actors) > LONG else summary.actors


def _by_table(actors: Iterable[Actor]) -> list[Actor]:
    tables: dict[str, list[Actor]] = {}
    for actor in actors:
        tables.setdefault(table_of(actor.name), []).append(actor)
    return [_sum(name, members) for name, members in tables.items()]


def _sum(table: str, members: Sequence[Actor]) -> Actor:
    """Return a table as one actor: sums, but of queues the longest."""
    return Actor(
        name=f"{table} × {len(members)}",
        pid=0,
        steps=sum(actor.steps for actor in members),
        traffic=add(actor.traffic for actor in members),
        bytes_in=sum(actor.bytes_in for actor in members),
        queue=max(actor.queue for actor in members),
        held=max(actor.held for actor in members),
        restarts=sum(actor.restarts for actor in members),
    )


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


def _compression_table(summary: Summary) -> Table:
    """Return what compressing has saved and cost on each edge that has a codec."""
    table = _columns("compressed", "MB before", "MB sent", "times smaller", "relative error")
    for edge in summary.edges:
        if edge.traffic.raw:
            table.add_row(edge.title, *compression(edge.traffic))
    return table


def compression(traffic: Traffic) -> list[str]:
    """Return how much compressed tensors had before and after, the ratio, and the error."""
    sizes = [_megabytes(traffic.raw), _megabytes(traffic.packed)]
    return [*sizes, f"{traffic.raw / traffic.packed:.3g}", f"{traffic.relative_error:.2g}"]


def _fates(traffic: Iterable[Traffic]) -> list[str]:
    """Return the columns worth showing: what became of messages, where it happened to any."""
    parts = list(traffic)
    total = add(parts)
    rare = {
        "dropped": any(total.dropped.values()),
        "unknown": total.unknown,
        "in flight": total.in_flight,
        "unaccounted": any(part.unaccounted for part in parts),
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
        "unaccounted": f"{traffic.unaccounted:,}",
    }
    return [known[fate] for fate in fates]


def _restart_table(restarts: Sequence[Restart]) -> Table:
    if len(restarts) > MANY:
        return _restarts_by_actor(restarts)
    table = _columns("restarts", "at s", "life", "from", "rolled back", "down s", "why")
    for one in restarts:
        origin = one.origin.removeprefix("checkpoint ") + (" in place" if one.in_place else "")
        when, down = f"{one.t:,.1f}", f"{one.downtime:,.2f}"
        life = str(one.incarnation)
        table.add_row(one.actor, when, life, origin, one.rolled_back, down, one.why)
    return table


def _restarts_by_actor(restarts: Iterable[Restart]) -> Table:
    actors: dict[str, list[Restart]] = {}
    for one in restarts:
        actors.setdefault(one.actor, []).append(one)
    table = _columns("restarts", "times", "rolled back", "down s", "why")
    for actor, mine in actors.items():
        messages = sum(one.rolled_back_messages for one in mine)
        undone = rolled_back(messages, sum(one.rolled_back_steps for one in mine))
        down = f"{sum(one.downtime for one in mine):,.2f}"
        reasons = Counter(one.why for one in mine).most_common(1)[0][0]
        table.add_row(actor, f"{len(mine):,}", undone, down, reasons)
    return table


def _stall_table(stalls: Iterable[Stall]) -> Table:
    causes: dict[str, list[float]] = {}
    for stall in stalls:
        causes.setdefault(stall.what, []).append(stall.seconds)
    table = _columns("stalls", "times", "longest s", "in all s")
    for what, seconds in causes.items():
        times = f"{len(seconds):,}"
        table.add_row(what, times, f"{max(seconds):,.1f}", f"{sum(seconds):,.1f}")
    return table


def _membership_table(summary: Summary) -> Table:
    changes = summary.membership
    if len(changes) <= MANY:
        table = _columns("membership", "at s", "change")
        for one in changes:
            table.add_row(one.actor, f"{one.t:,.1f}", one.change)
        return table
    table = _columns("membership", "joined", "left")
    counts = Counter((table_of(one.actor), one.change) for one in changes)
    for name in dict.fromkeys(table_of(one.actor) for one in changes):
        table.add_row(name, f"{counts[name, 'joined']:,}", f"{counts[name, 'left']:,}")
    return table


def _columns(first: str, *others: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0)
    )
    for name in (first, *others):
        table.add_column(
            name,
            justify="left" if name in (first, "why") else "right",
            no_wrap=name not in WORDY,
            overflow="fold" if name in WORDY else "ellipsis",
        )
    return table


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f}"
