"""What a run is doing right now: a live table in a terminal, elsewhere a line now and then."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

WINDOW = 10.0
"""Rates are over the last so many seconds."""
SMOOTHING = 0.9
"""How much of a smoothed loss the next report leaves in place."""
LONG = 24
"""More actors than this are shown as one row a table."""


@dataclass(slots=True)
class Rate:
    """How fast a total grows, over the last ten seconds; a smaller total is a fresh start."""

    points: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, t: float, total: float) -> None:
        """Take note of the total at a time, in seconds."""
        if self.points and total < self.points[-1][1]:
            self.points.clear()
        self.points.append((t, total))
        while len(self.points) > 2 and self.points[0][0] < t - WINDOW:
            self.points.popleft()

    @property
    def per_second(self) -> float:
        """The growth a second; 0 while there is only one point in time."""
        if not self.points:
            return 0.0
        (start, before), (end, after) = self.points[0], self.points[-1]
        return (after - before) / (end - start) if end > start else 0.0


@dataclass(slots=True)
class Row:
    """What is known of one actor."""

    actor: str
    pid: int | None = None
    running: bool = False
    step: int = 0
    loss: float = math.nan
    accuracy: float = math.nan
    steps: Rate = field(default_factory=Rate)
    messages: Rate = field(default_factory=Rate)
    bytes: Rate = field(default_factory=Rate)

    @property
    def table(self) -> str:
        """The table of the wiring this actor is one of."""
        return self.actor.partition("/")[0]

    def take(self, t: float, step: int | None, metrics: Mapping[str, float]) -> None:
        """Take note of one report."""
        if step is not None:
            self.step = step
            self.steps.add(t, step)
        if "loss" in metrics:
            loss = metrics["loss"]
            known = math.isfinite(self.loss)
            self.loss = self.loss + (1 - SMOOTHING) * (loss - self.loss) if known else loss
        self.accuracy = metrics.get("accuracy", self.accuracy)


@dataclass(frozen=True, slots=True)
class Line:
    """What is shown of an actor or of a whole table: sums of rates, means of losses."""

    name: str
    pid: str
    running: int
    step: int
    steps: float
    loss: float
    accuracy: float
    messages: float
    bytes: float


class Progress:
    """Shows a run while it runs; on any way out of the `with` block the terminal is as before.

    It draws when told something, at most four times a second; call `tick` now and then so that the
    clock goes on while nothing is reported. Elsewhere than in a terminal a line is printed `every`
    so many seconds, and one at the end.
    """

    def __init__(
        self,
        title: str,
        console: Console | None = None,
        *,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console

        self._title = title
        self._console = console or Console(stderr=True)
        self._pause = 0.25 if self._console.is_terminal else every
        self._clock = clock
        self._live: Live | None = None
        self._rows: dict[str, Row] = {}
        self._start = self._shown = clock()

    def __enter__(self) -> Self:
        from rich.live import Live

        self._start = self._shown = self._clock()
        if self._console.is_terminal:
            self._live = Live(self._draw(), console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._show()
        finally:
            if self._live is not None:
                self._live.stop()

    def started(self, actor: str, pid: int) -> None:
        """Show an actor as alive, for the first time or again, in the process of this id."""
        row = self._row(actor)
        row.pid, row.running = pid, True
        self.tick()

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        """Show what an actor reported `t` seconds after the start of the run."""
        self._row(actor).take(t, step, metrics)
        self.tick()

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002 - the unit
        """Show how many messages and bytes an actor has sent since it started."""
        now, row = self._clock(), self._row(actor)
        row.messages.add(now, messages)
        row.bytes.add(now, bytes)
        self.tick()

    def ended(self, actor: str) -> None:
        """Show an actor as gone: its life is over, or its process is."""
        self._row(actor).running = False
        self.tick()

    def tick(self) -> None:
        """Show what is known now, unless that was done a moment ago."""
        if self._clock() - self._shown >= self._pause:
            self._show()

    def line(self) -> str:
        """Return the state of the run as one line of text."""
        rows = self._rows.values()
        total = _sum("", rows)
        parts = [f"{self._title} {self._elapsed()}", f"{total.running}/{len(rows)} actors"]
        parts += [f"step {total.step:,}", f"{total.steps:,.1f} steps/s"] if total.step else []
        parts += [f"loss {total.loss:.4f}"] if math.isfinite(total.loss) else []
        parts += [f"accuracy {total.accuracy:.4f}"] if math.isfinite(total.accuracy) else []
        parts += [f"{total.messages:,.1f} messages/s", f"{total.bytes / 1e6:,.1f} MB/s"]
        return "  ".join(parts)

    def _row(self, actor: str) -> Row:
        return self._rows.setdefault(actor, Row(actor))

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(self._clock() - self._start), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def _show(self) -> None:
        self._shown = self._clock()
        if self._live is not None:
            self._live.update(self._draw(), refresh=True)
        else:
            self._console.print(self.line(), markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(
            box=SIMPLE_HEAD, title=f"{self._title}  {self._elapsed()}", title_style="bold"
        )
        table.add_column("actor", no_wrap=True)
        for name in ("pid", "step", "steps/s", "loss", "accuracy", "messages/s", "MB/s"):
            table.add_column(name, justify="right", no_wrap=True)
        for line in self._lines():
            table.add_row(*_cells(line), style=None if line.running else "dim")
        return table

    def _lines(self) -> list[Line]:
        rows = list(self._rows.values())
        room = min(LONG, self._console.height - 6)
        if len(rows) <= room:
            return [_sum(row.actor, [row]) for row in rows]
        tables: dict[str, list[Row]] = {}
        for row in rows:
            tables.setdefault(row.table, []).append(row)
        return [_sum(f"{name} × {len(members)}", members) for name, members in tables.items()]


def _sum(name: str, rows: Iterable[Row]) -> Line:
    rows = list(rows)
    running = [row for row in rows if row.running]
    pids = {row.pid for row in rows}
    return Line(
        name=name,
        pid=str(rows[0].pid or "") if len(pids) == 1 else "",
        running=len(running),
        step=max((row.step for row in rows), default=0),
        steps=sum(row.steps.per_second for row in running),
        loss=_mean(row.loss for row in rows),
        accuracy=_mean(row.accuracy for row in rows),
        messages=sum(row.messages.per_second for row in running),
        bytes=sum(row.bytes.per_second for row in running),
    )


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return fmean(known) if known else math.nan


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.name,
        line.pid,
        f"{line.step:,}" if line.step else "",
        f"{line.steps:,.1f}" if line.step else "",
        f"{line.loss:.4f}" if math.isfinite(line.loss) else "",
        f"{line.accuracy:.4f}" if math.isfinite(line.accuracy) else "",
        f"{line.messages:,.1f}" if line.messages else "",
        f"{line.bytes / 1e6:,.1f}" if line.bytes else "",
    )
