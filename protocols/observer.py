"""A service that tells how far those who train are from each other."""

from __future__ import annotations

from asyncio import sleep
from contextlib import suppress
from itertools import count

import torch
from torch import Tensor

from tether.actors import ActorGone, Group, Unreachable, report
from tether.protocols.evaluator import Source


class Observer:
    """Pulls the x of all every so many seconds, and reports their disagreement ‖xⁱ − x̄‖.

    `apart` is its mean over all i, `furthest` the largest. They are not of one moment.
    """

    def __init__(self, peers: Group[Source], every: float) -> None:
        self.peers, self.every = peers, every

    async def run(self) -> None:
        """Look until cancelled; who dies meanwhile is looked at when there again."""
        for step in count():
            with suppress(ActorGone, Unreachable):
                await self.look(step)
            await sleep(self.every)

    async def look(self, step: int = 0) -> dict[str, float]:
        """Return, and report, the disagreement as it is now."""
        distances = disagreement([x async for x in self.peers.stream(Source.pull)])
        seen = {"apart": float(distances.mean()), "furthest": float(distances.max())}
        report(step=step, **seen)
        return seen


def disagreement(xs: list[Tensor]) -> Tensor:
    """Return ‖xⁱ − x̄‖ of each of some flat vectors, in float64; one after the other."""
    mean = sum(x.to("cpu", torch.float64) for x in xs) / torch.tensor(float(len(xs)))
    return torch.stack([torch.dist(x.to("cpu", torch.float64), mean) for x in xs])
