"""A service that ties two centers together, so that stars become one network of two levels."""

from __future__ import annotations

from asyncio import sleep
from contextlib import suppress
from itertools import count

from torch import empty_like

from tether.actors import ActorGone, Ref, Unreachable, report
from tether.protocols.easgd_paper import Center
from tether.protocols.elastic import difference, moving_rate


class Tie:
    """Moves two centers towards each other every so many seconds, and conserves their sum.

    Each keeps its workers; α is this tie's own. A center that dies between the two moves takes one
    of them with it.
    """

    def __init__(self, one: Ref[Center], other: Ref[Center], alpha: float, every: float) -> None:
        self.one, self.other, self.alpha, self.every = one, other, moving_rate(alpha), every

    async def run(self) -> None:
        """Pull until cancelled."""
        for step in count(1):
            await sleep(self.every)
            with suppress(ActorGone, Unreachable):
                report(step=step, apart=await self.pull_together())

    async def pull_together(self) -> float:
        """Move one by −d and the other by d = α(x̃₁ − x̃₂); return ‖x̃₁ − x̃₂‖ before."""
        x, y = (await self.one.pull()).clone(), await self.other.pull()
        d, apart = difference(x, y, self.alpha, out=empty_like(x)), float((x - y).norm())
        await self.other.add(d)
        await self.one.add(-d)
        return apart
