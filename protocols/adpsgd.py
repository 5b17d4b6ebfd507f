"""AD-PSGD: each learner meets a neighbour half-way while it computes its gradient.

Lian, Zhang, Zhang & Liu, "Asynchronous Decentralized Parallel Stochastic Gradient Descent", ICML
2018 (1710.06952), Algorithm 1.
"""

from __future__ import annotations

from torch import Tensor

from tether.actors import Group, buffer, report
from tether.protocols.beginning import Beginner, Beginning
from tether.protocols.choice import Random
from tether.protocols.elastic import elastic
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner
from tether.protocols.overlap import Waiting, unless_gone


class Peer(Beginner):
    """A learner that goes half-way to a neighbour at each step, and is met by others meanwhile."""

    def __init__(self, peers: Group[Peer], learner: Learner, steps: int,
                 choice: Random | None = None) -> None:  # fmt: skip
        self.peers, self.learner, self.steps = peers, learner, steps
        self.choice, self.waiting = choice or Random(), Waiting()
        self.beginning = Beginning(learner)
        self.t = self.met = self.behind = 0

    async def run(self) -> None:
        """Repeat: a gradient at x̂ and an average with a neighbour at once, then the step."""
        await self.beginning.begin(self.peers)
        for t in range(self.t, self.steps):
            x, met = self.learner.x, self.met  # x̂
            average = unless_gone(self.choice.one(self.peers).average(x))
            d, g = await self.waiting.both(average, self.learner.gradient())
            if d is not None:  # who is gone is passed over
                await self.learner.apply(Tensor.sub_, d)  # x ← x − (x̂ − x_j)/2
            await self.learner.step(g)  # x ← x − ηg(x̂)
            self.t, self.behind = t + 1, self.met - met
            waited = self.waiting.seconds
            report(step=self.t, loss=self.learner.loss, waited=waited, behind=self.behind)

    async def average(self, x: Tensor) -> Tensor:
        """Make x_j ← x_j + (x − x_j)/2, and return what its sender takes from its own x."""
        out = buffer(tuple(x.shape), x.dtype)
        if not self.beginning.over:  # its x is not its own yet
            return out.zero_()
        await self.learner.apply(lambda x_j: elastic(x, x_j, 0.5, out))
        self.met += 1
        return out

    state_dict, load_state_dict = kept("t", "met", "choice", "learner")
