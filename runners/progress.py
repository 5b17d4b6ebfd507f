"""What a run is doing right now: a live table in a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tether.runners.board import table, text
from tether.runners.restart import Restart
from tether.runners.row import Health, Row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table


class Progress:
    """Shows a run while it runs; on any way out of the `with` block the terminal is as before.

    It draws when told something, at most four times a second; call `tick` now and then so that the
    clock goes on while nothing is reported. Elsewhere than in a terminal a line is printed `every`
    so many seconds, one for each death, return and the like when it happens, and one at the end.
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
        row.pid = pid
        row.begin("running")
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

    def queues(self, actor: str, waiting: int, held: int) -> None:
        """Show how many messages wait for an actor, and how many of its own calls are held back."""
        self._row(actor).queue(waiting, held)
        self.tick()

    def ended(self, actor: str) -> None:
        """Show an actor as gone: its life is over, or its process is."""
        self._row(actor).end()
        self.tick()

    def down(self, actor: str, why: str, delay: float) -> None:
        """Show an actor as dead until it is restarted, `delay` seconds from now."""
        row = self._row(actor)
        row.begin("restarting")
        row.since = self._clock() + delay
        self._say(f"{actor} died: {why}; restarting in {delay:.2g} s")

    def bereaved(self, actor: str, why: str, delay: float) -> None:
        """Tell that an actor's `run()` begins again: it lives, and has lost nothing."""
        self._say(f"{actor} has lost another: {why}; its run() begins again in {delay:.2g} s")

    def restarted(self, restart: Restart) -> None:
        """Show an actor as back."""
        row = self._row(restart.actor)
        row.restarts += 1
        row.begin("running")
        self._say(restart.sentence)

    def gave_up(self, actor: str, why: str) -> None:
        """Show an actor as dead for good."""
        self._row(actor).begin("given up")
        self._say(f"{actor} is given up: {why}")

    def unreachable(self, actor: str, why: str) -> None:
        """Show for how long an actor has been silent."""
        self._fall_ill(actor, "unreachable", why)

    def hung(self, actor: str, why: str) -> None:
        """Show what hangs."""
        self._fall_ill(actor, "hung", why)

    def slow(self, actor: str, why: str) -> None:
        """Show how slow an actor is, until it reports."""
        self._fall_ill(actor, "slow", why)

    def reachable(self, actor: str) -> None:
        """Show an actor as well again."""
        row = self._row(actor)
        if row.health in ("unreachable", "hung"):
            self._say(f"{actor} is no longer {row.health}")
        row.health = "well"
        self.tick()

    def stalled(self, text: str, seconds: float) -> None:  # noqa: ARG002 - the text tells it
        """Tell what held an event loop; the text says for how long."""
        self._say(text)

    def joined(self, actor: str) -> None:
        """Show a new member, or one that is back."""
        row = self._row(actor)
        if row.life in ("left", "given up"):
            row.begin("starting")
        self._say(f"{actor} joined")

    def left(self, actor: str) -> None:
        """Show an actor as no member any more."""
        self._row(actor).begin("left")
        self._say(f"{actor} left")

    def tick(self) -> None:
        """Show what is known now, unless that was done a moment ago."""
        if self._clock() - self._shown >= self._pause:
            self._show()

    def line(self) -> str:
        """Return the state of the run as one line of text."""
        return text(self._title, self._elapsed(), list(self._rows.values()), self._clock())

    def _row(self, actor: str) -> Row:
        return self._rows.setdefault(actor, Row(actor))

    def _fall_ill(self, actor: str, health: Health, why: str) -> None:
        row = self._row(actor)
        if row.fall_ill(health, why, self._clock()):
            self._say(f"{actor} is {health}: {row.why}" if why else f"{actor} is {health}")

    def _say(self, event: str) -> None:
        """Print a line of its own for what happened, and show it in the table of a terminal."""
        if not self._console.is_terminal:
            self._print(" ".join(event.split()))
        self.tick()

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(self._clock() - self._start), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def _show(self) -> None:
        self._shown = self._clock()
        if self._live is not None:
            self._live.update(self._draw(), refresh=True)
        else:
            self._print(self.line())

    def _draw(self) -> Table:
        title, rows = f"{self._title}  {self._elapsed()}", list(self._rows.values())
        return table(title, rows, self._clock(), self._console.width, self._console.height)
