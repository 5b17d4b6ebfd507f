"""What is known of all actors, as a table for a terminal or as one line of text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from tether.runners.row import CALM, Row

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

LONG = 24
"""More actors than this are shown as one row a table."""
RED, YELLOW = ("unreachable", "hung", "given up"), ("restarting", "slow")
"""Kinds of state that are shown in colour."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is shown of an actor or of a whole table: sums of rates, means of losses."""

    name: str
    state: str
    pid: str
    running: int
    restarts: int
    step: int
    steps: float
    loss: float
    accuracy: float
    messages: float
    bytes: float
    waiting: int
    held: int


CELLS: dict[str, Callable[[Line], str]] = {
    "pid": lambda line: line.pid,
    "step": lambda line: f"{line.step:,}" if line.step else "",
    "steps/s": lambda line: f"{line.steps:,.1f}" if line.step else "",
    "loss": lambda line: f"{line.loss:.4f}" if math.isfinite(line.loss) else "",
    "accuracy": lambda line: f"{line.accuracy:.4f}" if math.isfinite(line.accuracy) else "",
    "messages/s": lambda line: f"{line.messages:,.1f}" if line.messages else "",
    "MB/s": lambda line: f"{line.bytes / 1e6:,.1f}" if line.bytes else "",
    "queue": lambda line: f"{line.waiting:,}" if line.waiting else "",
    "held": lambda line: f"{line.held:,}" if line.held else "",
    "restarts": lambda line: f"{line.restarts:,}" if line.restarts else "",
}
"""The cells of a line by column."""
RARE: dict[str, Callable[[Row], bool]] = {
    "queue": lambda row: row.longest > 0,
    "held": lambda row: row.longest_held > 0,
    "restarts": lambda row: row.restarts > 0,
}
"""Columns that are shown from when on a row first has something for them."""


SPARE = ("pid", "MB/s", "messages/s", "accuracy", "steps/s")
"""Columns that a narrow terminal has to do without, in this order."""
GAP, EDGES = 2, 2
"""Blanks between two columns, and around the table."""
STATE = 24
"""Characters of a state that matter more than these columns; what is longer is cut."""


def table(title: str, rows: Sequence[Row], now: float, width: int, height: int) -> Table:
    """Return the table of a run for a terminal of so many columns and lines."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = lines(rows, now, height)
    stated = any(row.kind not in CALM for row in rows)
    names = [name for name in CELLS if name not in RARE or any(map(RARE[name], rows))]
    names = _fitting(names, shown, width, stated)
    drawn = Table(
        box=SIMPLE_HEAD, title=title, title_style="bold", padding=(0, 1, 0, 0), pad_edge=False
    )
    drawn.add_column("actor", no_wrap=True)
    if stated:
        drawn.add_column("state")  # may wrap, and so is made narrower before the others are
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    for line in shown:
        state = [_coloured(line.state)] if stated else []
        cells = (CELLS[name](line) for name in names)
        drawn.add_row(line.name, *state, *cells, style=None if line.running else "dim")
    return drawn


def text(title: str, elapsed: str, rows: Sequence[Row], now: float) -> str:
    """Return the state of a run as one line of text."""
    total = _sum("", rows, now)
    present = sum(row.life != "left" for row in rows)
    parts = [f"{title} {elapsed}", f"{total.running}/{present} actors"]
    parts += filter(None, [", ".join(_troubles(rows, total.restarts))])
    parts += [f"step {total.step:,}", f"{total.steps:,.1f} steps/s"] if total.step else []
    parts += [f"loss {total.loss:.4f}"] if math.isfinite(total.loss) else []
    parts += [f"accuracy {total.accuracy:.4f}"] if math.isfinite(total.accuracy) else []
    parts += [f"{total.messages:,.1f} messages/s", f"{total.bytes / 1e6:,.1f} MB/s"]
    parts += [f"{total.waiting:,} waiting"] if total.waiting else []
    parts += [f"{total.held:,} held"] if total.held else []
    return "  ".join(parts)


def lines(rows: Sequence[Row], now: float, height: int) -> list[Line]:
    """Return what is shown in so many lines of a terminal: actors, or else whole tables."""
    if len(rows) <= min(LONG, height - 6):
        return [_sum(row.actor, [row], now) for row in rows]
    tables: dict[str, list[Row]] = {}
    for row in rows:
        tables.setdefault(row.table, []).append(row)
    return [_sum(f"{name} × {len(members)}", members, now) for name, members in tables.items()]


def _fitting(names: list[str], shown: Sequence[Line], width: int, stated: bool) -> list[str]:
    """Return the columns there is room for beside the names of actors and their states."""
    sizes = {name: max([len(name), *(len(CELLS[name](line)) for line in shown)]) for name in names}
    fixed = max([len("actor"), *(len(line.name) for line in shown)])
    if stated:
        fixed += GAP + min(STATE, max(len(line.state) for line in shown))
    for spare in SPARE:
        if fixed + sum(size + GAP for size in sizes.values()) <= width - EDGES:
            break
        sizes.pop(spare, None)
    return list(sizes)


def _troubles(rows: Iterable[Row], restarts: int) -> list[str]:
    """Return how many are down, and so on: what happened to nobody is left out."""
    kinds = Counter(row.kind for row in rows)
    counts = {
        "down": kinds["restarting"],
        **{kind: kinds[kind] for kind in ("given up", "unreachable", "hung", "slow")},
        "restart" if restarts == 1 else "restarts": restarts,
    }
    return [f"{count:,} {what}" for what, count in counts.items() if count]


def _sum(name: str, rows: Sequence[Row], now: float) -> Line:
    moving = [row for row in rows if row.moving]
    pids = {row.pid for row in rows}
    return Line(
        name=name,
        state=_state(rows, now),
        pid=str(rows[0].pid or "") if len(pids) == 1 else "",
        running=sum(row.running for row in rows),
        restarts=sum(row.restarts for row in rows),
        step=max((row.step for row in rows), default=0),
        steps=sum(row.steps.per_second for row in moving),
        loss=_mean(row.loss for row in rows),
        accuracy=_mean(row.accuracy for row in rows),
        messages=sum(row.messages.per_second for row in moving),
        bytes=sum(row.bytes.per_second for row in moving),
        waiting=sum(row.waiting for row in rows),
        held=sum(row.held for row in rows),
    )


def _state(rows: Sequence[Row], now: float) -> str:
    """Return the state of one actor, or how many of several are in one worth telling."""
    if len(rows) == 1:
        return rows[0].state(now)
    kinds = Counter(row.kind for row in rows)
    odd = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if kind not in CALM)
    return odd or ("running" if kinds["running"] else next(iter(kinds), ""))


def _coloured(state: str) -> Text:
    """Return a state on one line: what does not fit is cut off."""
    from rich.text import Text

    bad, odd = (any(word in state for word in words) for words in (RED, YELLOW))
    style = "red" if bad else "yellow" if odd else ""
    return Text(state, style=style, no_wrap=True, overflow="ellipsis")


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return fmean(known) if known else math.nan
