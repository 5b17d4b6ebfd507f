"""Whether and when what has died is started again: data, in OTP's words."""

from __future__ import annotations

from collections import deque
from random import Random

SHORTEST = 0.05
LONGEST = 10.0
"""Seconds of the first and the longest back-off, before jitter."""
JITTER = 0.5
"""Share of the back-off that chance may add or take away: not all come back at once."""
HEALTHY = 10.0
"""Seconds of life after which the next back-off is the shortest again."""


class Supervision:
    """The restarts of one actor or process: at most `max_restarts` in any `max_seconds`.

    `restart` is "transient" (after an abnormal end), "permanent" (always) or "temporary" (never).
    """

    def __init__(self, restart: str, max_restarts: int, max_seconds: float, random: Random) -> None:
        self.restart = restart
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self.restarts = 0
        self.gave_up = ""
        self._random = random
        self._spent: deque[float] = deque()
        self._back = float("-inf")
        self._in_a_row = 0

    def died(self, now: float, *, normal: bool = False, innocent: bool = False) -> float | None:
        """Return in how many seconds it is to be started again; None for not at all.

        An innocent death, as of one whose peer was gone, spends no restart. `gave_up` says why
        none was left; then it stays so.
        """
        if self.gave_up or not self._wanted(normal):
            return None
        if not innocent and not self._spend(now):
            return None
        self.restarts += 1
        return self._back_off(now)

    def _wanted(self, normal: bool) -> bool:
        return self.restart == "permanent" or (self.restart == "transient" and not normal)

    def _spend(self, now: float) -> bool:
        while self._spent and now - self._spent[0] > self.max_seconds:
            self._spent.popleft()
        if len(self._spent) >= self.max_restarts:
            self.gave_up = self._reason()
            return False
        self._spent.append(now)
        return True

    def _reason(self) -> str:
        if self.max_restarts == 0:
            return "max_restarts is 0"
        number = "1 restart" if self.max_restarts == 1 else f"{self.max_restarts} restarts"
        were = "was" if self.max_restarts == 1 else "were"
        return f"{number} in {self.max_seconds:g} s {were} not enough"

    def _back_off(self, now: float) -> float:
        if now - self._back >= HEALTHY:
            self._in_a_row = 0
        delay = min(LONGEST, SHORTEST * 2.0 ** min(self._in_a_row, 16))
        delay *= self._random.uniform(1 - JITTER, 1 + JITTER)
        self._back = now + delay
        self._in_a_row += 1
        return delay
