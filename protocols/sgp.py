"""Stochastic Gradient Push: SGD and push-sum in turn, with what is sent under way meanwhile.

Assran, Loizou, Ballas & Rabbat, "Stochastic Gradient Push for Distributed Deep Learning", ICML
2019 (1811.10792), Algorithms 1 and 2. Here z = x/w is what is kept, and x is w·z.
"""

from __future__ import annotations

from torch import Tensor

from tether.actors import Group, report
from tether.protocols.arrivals import Arrivals, Awaiting
from tether.protocols.beginning import Beginning
from tether.protocols.choice import Random, Rotating
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner
from tether.protocols.overlap import Waiting
from tether.protocols.sumweight import Weight, merge

LEAST = 0.5
"""The w by which a gradient is divided at the least: that of one with a message under way."""


class Peer(Awaiting):
    """A learner z with a push-sum weight w, 1 at first; all x = w·z together move by gradients."""

    def __init__(self, peers: Group[Peer], learner: Learner, steps: int, tau: int = 0,
                 choice: Random | None = None, patience: float = 60.0) -> None:  # fmt: skip
        self.peers, self.learner, self.steps, self.tau = peers, learner, steps, tau
        self.choice, self.waiting = choice or Rotating(), Waiting()
        self.arrivals = Arrivals(patience)
        self.own, self.beginning = Weight(1.0, learner, self.waiting), Beginning(learner)
        self.t = self.behind = 0

    async def run(self) -> None:
        """Repeat: a step, a push of half to the peer whose turn it is, and a merge."""
        await self.beginning.begin(self.peers)
        for t in range(self.t, self.steps):
            g = await self.learner.gradient()
            await self.learner.step(g.div_(max(self.own.a, LEAST)))  # x ← x − ηg(z)
            await self.own.give(self.own.a / 2, t, self.choice.one(self.peers).push)
            await self.waiting.on(self.arrivals.until(t - self.tau))
            await self.learner.apply(self.process_messages)
            self.t = t + 1
            seen = {"w": self.own.a, "pushed": self.own.given, "behind": self.behind}
            seen |= {"waited": self.waiting.seconds, "missed": self.arrivals.missed}
            report(step=self.t, loss=self.learner.loss, **seen)

    def process_messages(self, z: Tensor) -> None:
        """Sum up what has come of this step and those before: x ← x + x_j, w ← w + w_j, z = x/w."""
        upto = self.t if self.arrivals.bounded else None
        for z_j, w_j, t_j in self.own.pop(upto):
            merge(z, self.own.a, z_j, w_j)
            self.own.a, self.behind = self.own.a + w_j, self.t - t_j

    state_dict, load_state_dict = kept("t", "own", "choice", "arrivals", "learner")
