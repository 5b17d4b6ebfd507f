"""How good a network was, and when: it is seen while it learns, and examined afterwards."""

from __future__ import annotations

import time
from math import nan

from torch import Tensor

from tether.protocols.learner import Supervised

EVERY = 8
"""Steps from one frame to the next."""


class Film:
    """Parameter vectors of one learner and the moments at which they were seen."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, Tensor]] = []

    def see(self, t: int, x: Tensor) -> None:
        """Keep a copy of x after every so many steps."""
        if t % EVERY == 0:
            self.frames.append((time.monotonic(), x.detach().clone()))

    async def reached(self, accuracy: float, examiner: Supervised, begin: float) -> float:
        """Return the seconds from `begin` to the first frame that good; NaN if none is."""
        for moment, x in self.frames:
            measured = await examiner.measure(x)
            if measured["accuracy"] >= accuracy:
                return moment - begin
        return nan
