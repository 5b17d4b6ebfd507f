"""Whether an actor's next step is long in coming: slow is neither stuck nor dead."""

from __future__ import annotations

from collections import deque
from statistics import median

SLOW = 10
"""Times its usual step time after which an actor is slow."""
RECENT = 32
"""Step times that tell what is usual."""


class Pace:
    """How fast an actor's steps usually are, to tell when it is slow."""

    def __init__(self, patience: float = 5.0) -> None:
        """Call nobody slow before `patience` seconds."""
        self.patience = patience
        self._step: int | None = None
        self._since = 0.0
        self._times: deque[float] = deque(maxlen=RECENT)

    def reported(self, now: float, step: int) -> None:
        """Note a step; one that goes back, as after a restart, begins anew."""
        if self._step is not None and step > self._step:
            self._times.append((now - self._since) / (step - self._step))
        if step != self._step:
            self._step, self._since = step, now

    def slow(self, now: float) -> str:
        """Say that the next step is long in coming; empty while it is not, or nothing is usual."""
        if not self._times:
            return ""
        return slow(now - self._since, median(self._times), self.patience)


def slow(passed: float, usual: float, patience: float = 5.0) -> str:
    """Return `no step for 43 s, usually 0.2 s`; empty when that is as usual."""
    if passed < max(SLOW * usual, patience):
        return ""
    return f"no step for {duration(passed)}, usually {duration(usual)}"


def duration(seconds: float) -> str:
    """Return seconds in as many digits as people read."""
    if seconds >= 9.95:
        return f"{seconds:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 0.0995 else f"{seconds * 1000:.1f} ms"
