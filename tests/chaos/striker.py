"""Who kills a process in the middle of an exchange: at any moment, each as likely as another."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path
from random import Random

IN_TIME = 20.0
"""Seconds in which the bell has to ring."""


class Striker:
    """Hears a bell whenever an exchange begins, and kills so long after it as chance says."""

    def __init__(self, bell: Path, seed: int) -> None:
        os.mkfifo(bell)
        self._bell = os.open(bell, os.O_RDWR | os.O_NONBLOCK)
        self._random = Random(seed)
        self.moments: list[float] = []
        """When it struck, in parts of an exchange."""

    def deafen(self) -> None:
        """Forget what the bell has rung so far."""
        while select.select([self._bell], [], [], 0)[0]:
            os.read(self._bell, 4096)

    def strike(self, pid: int, exchange: float, rings: int) -> None:
        """Kill a process in one of so many exchanges, of so many seconds; to be run in a thread."""
        for _ in range(self._random.randint(1, rings)):
            if not select.select([self._bell], [], [], IN_TIME)[0]:
                raise TimeoutError("no exchange began")
            os.read(self._bell, 1)
        moment = self._random.random()
        time.sleep(moment * exchange)  # when it happens is what is tried
        os.kill(pid, signal.SIGKILL)
        self.moments.append(moment)

    def tenths(self) -> list[int]:
        """Return how many of the strikes fell in each tenth of an exchange."""
        return [sum(int(10 * moment) == k for moment in self.moments) for k in range(10)]

    def close(self) -> None:
        """Let go of the bell."""
        os.close(self._bell)
