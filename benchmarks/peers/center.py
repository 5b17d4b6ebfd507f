"""The center of frameworks that take a plain class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.workloads import Floats, predictions, touch


class Center:
    """Answers whatever is asked of it, one call at a time."""

    def __init__(self) -> None:
        self._ticks = 0
        self._answers: dict[int, Floats] = {}

    def echo(self, payload: bytes) -> bytes:
        """Give back what came."""
        return payload

    def tick(self, payload: bytes) -> None:  # noqa: ARG002 - it is received, not read
        """Count a message."""
        self._ticks += 1

    def ticks(self) -> int:
        """Return how many were counted, and begin again."""
        count, self._ticks = self._ticks, 0
        return count

    def exchange(self, x: Floats, touched: bool) -> Floats:
        """Answer a vector with one of the same size."""
        if touched:
            touch(x)
        if len(x) not in self._answers:
            self._answers[len(x)] = np.ones(len(x), np.float32)
        return self._answers[len(x)]

    def predict(self, observation: NDArray[np.uint8]) -> Floats:
        """Answer one observation."""
        answer: Floats = predictions(observation[None])[0]
        return answer
