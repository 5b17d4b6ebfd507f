"""What a simulation found, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tether.runners.findings import Findings
from tether.runners.page import compression
from tether.runners.summary import Traffic

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


def page(findings: Findings) -> Group:
    """Return what was found as tables for `rich`."""
    from rich.console import Group

    tables = [_links(findings), _compressed(findings), _staleness(findings), _learned(findings)]
    return Group(_head(findings), *(table for table in tables if table.row_count))


def _head(findings: Findings) -> str:
    f = findings
    lines = [
        f"{f.name}, seed {f.seed}: {f.outcome} after {f.seconds:.6g} s of virtual time"
        + (f": {f.reason}" if f.reason else ""),
        f"messages: {_accounts(f.messages)}",
    ]
    if f.faults:
        lines.append(f"faults: {_counts(f.faults)}")
    if f.restarts or f.gave_up:
        gone = f", {len(f.gave_up)} given up" if f.gave_up else ""
        lines.append(f"restarts: {f.restarts}{gone}; {f.rolled_back:,} messages rolled back")
    if f.leaks:
        lines.append(f"leaks by deaths and returns: {f.leaks}, all accounted for")
    return "\n".join([*lines, *f.problems])


def _accounts(messages: Mapping[str, int]) -> str:
    rest = {key.replace("_", " "): count for key, count in messages.items() if key != "sent"}
    parts = [f"{count:,} {key}" for key, count in rest.items() if count or key == "handled"]
    return f"{messages['sent']:,} sent = {' + '.join(parts)}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {what}" for what, count in counts.items())


def _table(title: str, columns: Iterable[str]) -> Table:
    from rich.table import Table

    first, *others = columns
    table = Table(first, box=None, title=title, title_justify="left", title_style="bold")
    for column in others:
        table.add_column(column, justify="right")
    return table


def _links(findings: Findings) -> Table:
    columns = ("link", "packets", "MB", "lost", "doubled", "late")
    table = _table("between processes", columns)
    for title, count in findings.links.items():
        numbers = (count.lost, count.doubled, count.late)
        size = f"{count.bytes / 1e6:,.3f}"
        table.add_row(title, f"{count.packets:,}", size, *map("{:,}".format, numbers))
    return table


def _compressed(findings: Findings) -> Table:
    columns = ("edge", "MB before", "MB sent", "times smaller", "relative error")
    table = _table("compressed", columns)
    for edge, sums in findings.compressed.items():
        table.add_row(edge, *compression(Traffic(**sums)))
    return table


def _staleness(findings: Findings) -> Table:
    columns = ("messages", "count", "median ms", "95 % ms", "oldest ms", "median behind", "most")
    table = _table("staleness when handled", columns)
    for row in findings.staleness:
        times = (1e3 * time for time in (row.median, row.p95, row.oldest))
        behind = (f"{row.median_messages:g}", f"{row.most_messages:,}")
        table.add_row(row.edge, f"{row.count:,}", *map("{:.3g}".format, times), *behind)
    return table


def _learned(findings: Findings) -> Table:
    table = _table("learning", ("table", "first", "median", "last"))
    for name, (first, last) in findings.losses.items():
        table.add_row(f"{name} loss", f"{first:.4g}", "", f"{last:.4g}")
    for name, course in findings.disagreement.items():
        table.add_row(f"{name} ‖xⁱ − x̄‖", *map("{:.4g}".format, course))
    return table
