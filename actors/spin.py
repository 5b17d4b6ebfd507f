"""Keeps an event loop awake for a moment after something moved: its processor wakes up slowly."""

from __future__ import annotations

import asyncio
from time import monotonic

MOST_RESTS = 255
"""Frames after which it is tried again at the latest, where polling was in vain."""
FARTHEST = 4
"""How many times as long it may poll where that is what it takes until something comes."""
SOONER = 0.8
"""The part of a wait below which another is shorter, and not only by chance."""


class Spin:
    """Has the running loop poll, and not sleep, for so many seconds after each frame.

    To wake a processor that sleeps takes up to 100 µs, several times what a small message takes.
    But what is awaited comes no sooner where it takes long anyway, and later where its sender has
    to share this core with who polls. So after each time in vain twice as many frames go by
    without: 1, 3, 7. Where these take no less time, it was not polled for long enough: of two
    processes that wait for each other neither is to fall asleep because the other does. With 0
    seconds it may always sleep.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = self._reach = seconds
        self._until = self._last = 0.0
        self._turning = self._polled = self._caught = self._vain = False
        self._rests = self._left = 0
        self._slept = self._asleep = 0.0
        """Seconds slept while frames went by without polling; and what each took, the last time."""
        self._woken = 0

    def heard(self) -> None:
        """Note that a frame came."""
        if not self._seconds:
            return
        wait = min(monotonic() - self._last, FARTHEST * self._seconds)
        if self._polled:
            self._caught = True
            if wait <= self._seconds:
                self._reach = self._seconds
        elif self._left:
            self._slept += wait
            self._woken += 1
        self._moved(wait)

    def moved(self) -> None:
        """Note that a frame went."""
        if self._seconds:
            self._moved(FARTHEST * self._seconds)

    def _moved(self, wait: float) -> None:
        """Poll from now on, unless that was in vain: what it was for took so many seconds."""
        self._last = now = monotonic()
        if self._vain:
            self._weigh(wait)
        if self._turning:
            self._until = now + self._reach
        elif self._left:
            self._left -= 1
        else:
            self._until = now + self._reach
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _weigh(self, wait: float) -> None:
        """Poll longer where sleeping has not made what is awaited come sooner, else less often."""
        self._vain = False
        if self._woken:
            self._asleep = self._slept / self._woken
        if self._asleep < SOONER * wait or wait >= FARTHEST * self._seconds:
            self._rests, self._reach = min(2 * self._rests + 1, MOST_RESTS), self._seconds
        else:
            self._rests, self._reach = 0, min(2 * self._reach, FARTHEST * self._seconds)
        self._left, self._slept, self._woken = self._rests, 0.0, 0

    def _turn(self) -> None:
        """Have the loop come round at once, for as long as it is to stay awake."""
        self._polled = True
        if monotonic() < self._until:
            asyncio.get_running_loop().call_soon(self._turn)
            return
        self._vain = not self._caught
        if self._caught:
            self._rests = 0
        self._turning = self._polled = self._caught = False

    def end(self) -> None:
        """Let the loop sleep from now on."""
        self._seconds = self._reach = self._until = 0.0
