"""Local SGD: K workers make H steps each on their own, and all go on from their mean.

Lin, Stich, Patel & Jaggi, "Don't Use Large Mini-Batches, Use Local SGD", ICLR 2020 (1808.07217).
In differences from what they agreed on:  c ← c − 1/K Σₖ (c − wᵏ),  wᵏ ← c, after every H-th step.
"""

from torch import Tensor

from tether.actors import Ref, oneway, report
from tether.protocols.aggregator import Aggregator
from tether.protocols.beside import Beside, Buffers, Momentum
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.rounds import Member, News
from tether.protocols.share import Share


class Worker(Learning):
    """Worker k: a learner with parameters wᵏ that are averaged with others' when a round is due."""

    def __init__(
        self, aggregator: Ref[Aggregator], me: Ref[Member], learner: Learner, steps: int,
        momentum: Momentum = "local", buffers: Buffers = "local", patience: float = 60.0,
    ) -> None:  # fmt: skip
        self.learner, self.steps, self.t = learner, steps, 0
        self.share = Share(aggregator, me, learner.x, patience)
        self.beside, self.waiting = Beside(learner, momentum, buffers), self.share.waiting

    async def run(self) -> None:
        """Make the local steps that are left, from c on or from the w resumed with."""
        await self.learner.begin(self._join)
        while self.t < self.steps:
            await self._step()
            self.t += 1
            if self.t >= self.share.due or self.t == self.steps:  # H divides t + 1
                await self._average()
            report(step=self.t, loss=self.learner.loss, waited=self.waiting.seconds)

    async def _join(self) -> Tensor:
        c, self.t = await self.share.join(), self.share.base  # the clock is that of the round
        return c

    async def _step(self) -> None:
        await self.learner.step(await self.learner.gradient())  # w ← w − γ∇f(w)

    async def _average(self) -> None:
        """Hand c − w over, wait for the new c, and go on from it: w ← c."""
        await self.learner.compute(self.share.difference, self.learner.x)  # D = c − w
        told = self.share.told(self.learner, self.t, last=self.t == self.steps)
        await self.share.hand(told, self.beside.take())
        await self.learner.apply(Tensor.copy_, await self.share.taken())
        self.beside.put(self.share.beside)
        self.t = self.share.base

    @oneway(keep="latest")
    async def adopt(self, news: News, c: Tensor, beside: Tensor | None) -> None:
        """Put the consensus aside, to be taken when this worker's own round is due."""
        self.share.put(news, c, beside)

    state_dict, load_state_dict = kept("t", "share", "learner")
