"""GoSGD: each learner pushes its x to a random peer now and then, and nobody waits for anybody.

Blot, Picard, Cord & Thome, "Gossip training for deep learning", 2016 (1611.09726), section 3.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from tether.actors import Group, report
from tether.protocols.beginning import Beginning
from tether.protocols.choice import Random
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner
from tether.protocols.overlap import Waiting
from tether.protocols.rate import rate
from tether.protocols.sumweight import Weighed, Weight, merge


class Peer(Weighed):
    """A learner x with a weight a; all weights, with those under way, are 1 together."""

    def __init__(self, peers: Group[Peer], learner: Learner, M: int, p: float | Literal["auto"],
                 steps: int, apart: float = 0.0, choice: Random | None = None) -> None:  # fmt: skip
        self.peers, self.learner, self.steps = peers, learner, steps
        self.rate, self.choice, self.waiting = rate(p, apart), choice or Random(), Waiting()
        self.own, self.beginning = Weight(1 / M, learner, self.waiting), Beginning(learner)
        self.t = self.behind = 0

    async def run(self) -> None:
        """Repeat: ProcessMessages, a local step, and with probability p PushMessage."""
        await self.beginning.begin(self.peers)
        for t in range(self.t, self.steps):
            if self.own.queue:
                await self.learner.apply(self.process_messages)
            await self.learner.step(await self.learner.gradient())  # x ← x − ηg(x)
            if self.choice.happens(self.rate.p) and len(self.peers):
                j = self.choice.one(self.peers)  # a ← a/2, and push (copy of x, a) to Q_j
                await self.own.give(self.own.a / 2, self.t, j.push)
            self.t = t + 1
            seen = {"a": self.own.a, "pushed": self.own.given, "behind": self.behind}
            waited, p = self.waiting.seconds, self.rate.p
            report(step=self.t, loss=self.learner.loss, waited=waited, p=p, **seen)
        await self.learner.apply(self.process_messages)

    def process_messages(self, x: Tensor) -> None:
        """While Q is not empty: (x_j, a_j) ← pop, x ← (a_j x_j + a x)/(a_j + a), a ← a_j + a."""
        for x_j, a_j, t_j in self.own.pop():
            self.rate.saw(x, x_j, self.t)
            merge(x, self.own.a, x_j, a_j)
            self.own.a, self.behind = self.own.a + a_j, self.t - t_j

    state_dict, load_state_dict = kept("t", "own", "rate", "choice", "learner")
