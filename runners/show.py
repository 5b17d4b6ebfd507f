"""The topology of a plan as a table: where each actor runs and whom it talks to."""

from __future__ import annotations

from rich.table import Table

from tether.runners.edges import Edge, bounds, edges, reaches
from tether.runners.picture import picture
from tether.runners.spec import ActorSpec, Plan

COLUMNS = ("actor", "class", "process", "host", "device", "talks to")
FEW = 4
"""Names written out before a row says only how many there are."""


def table(plan: Plan) -> Table:
    """Return a rich table with one row an actor."""
    found = Table(*COLUMNS, title=plan.run.name, title_justify="left", header_style="bold")
    for spec in plan.actors:
        found.add_row(*row(spec))
    return found


def row(spec: ActorSpec) -> tuple[str, ...]:
    """Return what the table says about one actor, by column."""
    device = "cpu" if spec.gpu is None else f"gpu{spec.gpu}"
    cls = spec.actor.partition(":")[2]
    name = spec.name if spec.starts else f"{spec.name} (later)"
    return (name, cls, spec.process, spec.host or "here", device, talks_to(spec))


def talks_to(spec: ActorSpec) -> str:
    """Return the actors one holds handles on: by name if they are few, else by table."""
    known = list(dict.fromkeys(name for _, name in reaches(spec)))
    if len(known) <= FEW:
        return ", ".join(known)
    tables: dict[str, list[str]] = {}
    for name in known:
        tables.setdefault(name.partition("/")[0], []).append(name)
    return ", ".join(
        f"{names[0]} … {names[-1]} ({len(names)})" if len(names) > 1 else names[0]
        for names in tables.values()
    )


__all__ = ["COLUMNS", "Edge", "bounds", "edges", "picture", "row", "table", "talks_to"]
