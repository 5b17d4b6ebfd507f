"""A service that tells how good the parameters are that others are training."""

from __future__ import annotations

from asyncio import CancelledError, sleep
from contextlib import suppress
from itertools import count
from typing import Protocol, runtime_checkable

from torch import Tensor

from tether.actors import ActorGone, Ref, Unreachable, report, within
from tether.protocols.learner import Supervised

LAST = 2.0
"""Seconds the last evaluation may take when the run ends."""


@runtime_checkable
class Source(Protocol):
    """Whoever gives away a flat parameter vector, such as EASGD's Center."""

    async def pull(self) -> Tensor:
        """Return the parameters."""
        ...


class Evaluator:
    """Pulls the center's parameters every so many seconds and reports what a test set says.

    The learner's loader is that test set. Cancelled at the end of a run, it measures a last time.
    """

    def __init__(self, center: Ref[Source], learner: Supervised, every: float) -> None:
        self.center, self.learner, self.every = center, learner, every

    async def run(self) -> None:
        """Measure until cancelled."""
        try:
            for step in count():
                await self.measure(step)
                await sleep(self.every)
        except CancelledError:
            with suppress(ActorGone, Unreachable, TimeoutError):
                async with within(LAST):
                    await self.measure(step + 1)
            raise

    async def measure(self, step: int = 0) -> dict[str, float]:
        """Return, and report, test loss and accuracy of the parameters as they are now."""
        measured = await self.learner.measure(await self.center.pull())
        report(step=step, accuracy=measured["accuracy"], test_loss=measured["loss"])
        return measured
