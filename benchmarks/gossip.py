"""Actors that gossip: for simulations of thousands of them.

The rule is GoSGD's sum-weight push (Blot, Picard, Cord & Thome 2016, arXiv 1611.09726), section 3.
"""

from __future__ import annotations

import asyncio

from torch import Tensor

from tether.actors import Group, Ref, oneway, report
from tether.protocols.quadratic import Quadratic


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
        """X ← (a x + a' x') / (a + a'), a ← a + a'."""
        total = self.a + a
        mine = self.learner.x
        mine.mul_(self.a / total).add_(x * (a / total))
        self.a = total


class Sink:
    """Takes the x of others, and mixes it into its own."""

    def __init__(self, x: Quadratic) -> None:
        self.learner = x

    @oneway
    async def take(self, x: Tensor) -> None:
        """Take a message and leave it at that."""

    @oneway
    async def mix(self, x: Tensor) -> None:
        """X ← (x + x') / 2."""
        self.learner.x.add_(x).mul_(0.5)


class Source:
    """Sends its x, again and again; one that learns makes a step before each."""

    def __init__(self, sink: Ref[Sink], learner: Quadratic, learns: bool, messages: int) -> None:
        self.sink, self.learner, self.learns, self.messages = sink, learner, learns, messages

    async def run(self) -> None:
        """Send all messages."""
        for _ in range(self.messages):
            if self.learns:
                await self.learner.step()
                await self.sink.mix(self.learner.x)
            else:
                await self.sink.take(self.learner.x)
