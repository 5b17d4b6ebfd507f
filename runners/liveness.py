"""Whether a process is alive, silent or stuck, told from its beats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tether.runners.pace import Pace

__all__ = ["Liveness", "Pace", "State"]

LATE = 3
"""Times the usual interval after which it was the observer who did not look."""


@dataclass(frozen=True, slots=True)
class State:
    """How a process is: since when by its own last beat, and what holds its event loop if known."""

    kind: Literal["alive", "unreachable", "hung"] = "alive"
    since: float = 0.0
    stall: str = ""


class Silence:
    """For how long a beat has been the same, in seconds during which somebody looked."""

    def __init__(self) -> None:
        self.beat = 0.0
        self.seconds = 0.0

    def heard(self, beat: float) -> bool:
        """Take the beat as it is now; tell whether it is a new one."""
        new = beat != self.beat
        if new:
            self.beat, self.seconds = beat, 0.0
        return new


class Liveness:
    """What is known of one process from looking at its beats, about every `beat` seconds.

    After `unreachable` seconds without its own beat it is unreachable, after `hung` seconds in
    which only its event loop did not beat it is hung. Time in which nobody looked does not count,
    and a look more than `LATE` times later than usual finds nobody silent or stuck.
    """

    def __init__(self, beat: float, unreachable: float, hung: float) -> None:
        self.beat = beat
        self.unreachable = unreachable
        self.hung = hung
        self.state = State()
        self._process = Silence()
        self._loop = Silence()
        self._last: float | None = None
        self._interval = 0.0

    def observe(self, now: float, process_beat: float, loop_beat: float, stall: str = "") -> State:
        """Return how the process is, from its last beats (0 = none yet) and what holds its loop."""
        seconds, late = self._passed(now)
        silent = self._process.seconds + seconds
        beats = self._process.heard(process_beat)
        if not beats and process_beat:
            self._process.seconds = silent
        if not self._loop.heard(loop_beat) and loop_beat and beats:
            self._loop.seconds += min(silent, LATE * self.beat)
        self.state = self._judged(late, stall)
        return self.state

    def change(
        self, now: float, process_beat: float, loop_beat: float, stall: str = ""
    ) -> State | None:
        """Return how the process is when that is another than before, else None."""
        before = self.state
        after = self.observe(now, process_beat, loop_beat, stall)
        return after if after.kind != before.kind else None

    def _passed(self, now: float) -> tuple[float, bool]:
        """Return the seconds since the last look that count, and whether it was too long ago."""
        if self._last is None:
            self._last = now
            return 0.0, False
        interval, usual = now - self._last, max(self.beat, self._interval)
        self._last, self._interval = now, interval
        late = interval > LATE * usual
        return 0.0 if late else min(interval, LATE * self.beat), late

    def _judged(self, late: bool, stall: str) -> State:
        silent = self._process.seconds >= self.unreachable
        stuck = self._loop.seconds >= self.hung
        before = self.state
        if silent and (before.kind == "unreachable" or not late):
            return State("unreachable", self._process.beat)
        if stuck and (before.kind == "hung" or not late):
            same = before.kind == "hung" and (before.since == self._loop.beat)
            return State("hung", self._loop.beat, stall or (before.stall if same else ""))
        return State()
