"""Keeps an event loop awake for a moment after something moved: its processor wakes up slowly."""

from __future__ import annotations

import asyncio
from time import monotonic


class Spin:
    """Has the running loop poll, and not sleep, for so many seconds after each call.

    To wake a processor that sleeps takes up to 100 µs, several times what a small message takes.
    All else goes on as always: a turn of the loop costs some microseconds. With 0 it may sleep.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._turning = False

    def __call__(self) -> None:
        """Note that something moved."""
        if self._seconds:
            self._until = monotonic() + self._seconds
            if not self._turning:
                self._turning = True
                asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Have the loop come round at once, for as long as it is to stay awake."""
        if monotonic() < self._until:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._turning = False

    def end(self) -> None:
        """Let the loop sleep from now on."""
        self._seconds = self._until = 0.0
