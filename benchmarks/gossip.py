"""Actors that gossip: for simulations of thousands of them.

The rule is GoSGD's sum-weight push (Blot, Picard, Cord & Thome 2016, arXiv 1611.09726), section 3.
"""

from __future__ import annotations

import asyncio

from tether.actors import Group, oneway, report
from tether.protocols.quadratic import Quadratic
from torch import Tensor


class Peer:
    """A learner that pushes its x with half of its weight to a peer, and merges what it is sent."""

    def __init__(
        self, peers: Group[Peer], learner: Quadratic, a: float, pause: float, steps: int
    ) -> None:
        self.peers, self.learner, self.a, self.pause, self.steps = peers, learner, a, pause, steps
        self.pushed = 0

    async def run(self) -> None:
        """Make a step, push, and pause, again and again."""
        for _ in range(self.steps):
            await asyncio.sleep(self.pause)
            await self.learner.step(await self.learner.gradient())
            self.a /= 2
            await self.peers.random().push(self.learner.x, self.a)
            self.pushed += 1
        report(step=self.steps, loss=self.learner.loss)

    @oneway
    async def push(self, x: Tensor, a: float) -> None:
        """x ← (a x + a' x') / (a + a'), a ← a + a'."""
        total = self.a + a
        mine = self.learner.x
        mine.mul_(self.a / total).add_(x * (a / total))
        self.a = total
