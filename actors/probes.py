"""Finds handlers that wait for each other in a ring: a probe goes where each of them waits.

Edge chasing after Chandy, Misra & Haas, "Distributed deadlock detection", ACM TOCS 1983. A wait is
for an answer, or for room at a receiver. `run()` is no handler: it may wait for who asks it back.

A probe sees the waits of a ring one after the other, so a first might have ended when it sees the
last. Only when a later probe finds the very same waits have all of them been there at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tether.actors.asks import Ask
from tether.actors.calls import Calls
from tether.actors.cell import Cell
from tether.actors.errors import CallCycle
from tether.actors.words import Probe, Wait

AFTER = 1.0
"""Seconds of waiting inside a handler before it is looked into."""
AGAIN = 0.5
"""Seconds between two looks, while anything is waited for inside a handler."""


class Probes:
    """The probes of one process: sends them, passes them on, and sees them come home."""

    def __init__(
        self, calls: Calls, cells: Mapping[str, Cell], say: Callable[[Probe], None]
    ) -> None:
        self._calls = calls
        self._cells = cells
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._round = 0
        self._rings: dict[tuple[Wait, ...], int] = {}
        """Rings that were found once, and in which round that was."""
        calls.watch = self._watch

    def _watch(self, after: float = AFTER) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(after, self._look)

    def _look(self) -> None:
        """Send a probe after every wait that has lasted too long."""
        self._timer = None
        self._round += 1
        now = self._loop.time()
        waits = {ask.number: ask for ask in self._calls.waits() if self._holds(ask)}
        self._rings = {ring: at for ring, at in self._rings.items() if ring[0].ask in waits}
        if waits:
            self._watch(AGAIN)
        for ask in waits.values():
            if now - ask.began >= AFTER:
                name, turn = ask.message.chain[-1]
                self._say(Probe(name, ask.target, name, turn, self._round, (self._wait(ask),)))

    def _holds(self, ask: Ask) -> bool:
        """Whether a handler that still runs waits for it."""
        if not ask.message.chain or ask.future.done():
            return False
        name, turn = ask.message.chain[-1]
        cell = self._cells.get(name)
        return cell is not None and cell.current is not None and cell.turn == turn

    def _wait(self, ask: Ask) -> Wait:
        cell = self._cells[ask.message.chain[-1][0]]
        return Wait(f"{cell.name}.{type(cell.actor).__name__}.{cell.doing}", ask.number)

    def take(self, probe: Probe) -> None:
        """Follow the waits of the actor a probe has come to; one that is home ends the wait."""
        cell = self._cells.get(probe.target)
        if cell is None or cell.current is None:
            return
        if (probe.target, cell.turn) == (probe.initiator, probe.turn):
            self._home(probe)
            return
        if any(wait.step.startswith(f"{probe.target}.") for wait in probe.path):
            return  # a ring without its initiator: the probes of its members will find it
        for ask in self._calls.within(probe.target, cell.turn):
            if not ask.future.done():
                path = (*probe.path, self._wait(ask))
                self._say(probe._replace(source=probe.target, target=ask.target, path=path))

    def _home(self, probe: Probe) -> None:
        """Raise at one member of the ring only, so that the others can go on."""
        ring = probe.path
        if ring[0] != min(ring):
            return
        if probe.round <= self._rings.setdefault(ring, self._round):
            return
        steps = " → ".join(wait.step for wait in [*ring, ring[0]])
        error = CallCycle(f"handlers wait for each other in a ring: {steps}")
        self._calls.refuse(ring[0].ask, error, "cycle")

    def close(self) -> None:
        """End the timer."""
        if self._timer is not None:
            self._timer.cancel()
