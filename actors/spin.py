"""Keeps an event loop awake for a moment after something moved: its processor wakes up slowly."""

from __future__ import annotations

import asyncio
from time import monotonic

MOST_RESTS = 255
"""Frames after which it is tried again at the latest, where polling was in vain."""


class Spin:
    """Has the running loop poll, and not sleep, for so many seconds after each frame.

    To wake a processor that sleeps takes up to 100 µs, several times what a small message takes.
    But what is awaited comes no sooner where it takes long anyway, and later where its sender has
    to share this core with who polls. So after each time in vain twice as many frames go by
    without: 1, 3, 7. With 0 seconds it may always sleep.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._turning = False
        self._polled = self._caught = False
        self._rests = self._left = 0

    def heard(self) -> None:
        """Note that a frame came."""
        if self._polled:
            self._caught = True
        self.moved()

    def moved(self) -> None:
        """Note that a frame came or went."""
        if self._turning:
            self._until = monotonic() + self._seconds
        elif self._left:
            self._left -= 1
        elif self._seconds:
            self._until = monotonic() + self._seconds
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Have the loop come round at once, for as long as it is to stay awake."""
        self._polled = True
        if monotonic() < self._until:
            asyncio.get_running_loop().call_soon(self._turn)
            return
        self._rests = 0 if self._caught else min(2 * self._rests + 1, MOST_RESTS)
        self._left = self._rests
        self._turning = self._polled = self._caught = False

    def end(self) -> None:
        """Let the loop sleep from now on."""
        self._seconds = self._until = 0.0
