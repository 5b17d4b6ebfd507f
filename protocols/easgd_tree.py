"""EASGD Tree: leaves learn, inner nodes only average, and nobody waits for anybody.

Zhang, "Distributed stochastic optimization for deep learning", 2016 (1605.02216), chapter 6.
"""

from asyncio import Event

from torch import Tensor

from tether.actors import Group, Ref, oneway, report
from tether.protocols.elastic import approach, moving_rate
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.overlap import Posting, Waiting, period


class Node(Learning):
    """A leaf, which makes `steps`; or an inner node, whose t counts news from below."""

    def __init__(
        self,
        learner: Learner,
        alpha: float,
        parent: "Ref[Node] | None" = None,
        children: "Group[Node] | None" = None,
        tau_up: int = 1,
        tau_down: int = 1,
        steps: int = 0,
    ) -> None:
        self.learner, self.alpha, self.steps = learner, moving_rate(alpha), steps
        self.parent, self.children = parent, children or Group()
        self.tau_up, self.tau_down = period(tau_up, "tau_up"), period(tau_down, "tau_down")
        self.t, self.news, self.waiting = 0, Event(), Waiting()

    @oneway(keep="latest")
    async def hear(self, y: Tensor, below: bool) -> None:
        """Move towards a neighbour's state: x ← x + α(y − x)."""
        await self.learner.apply(approach, y, self.alpha)
        if below:
            self.news.set()

    async def run(self) -> None:
        """Make the steps that are left; an inner node makes one with news from below."""
        if self.parent:
            await self.learner.begin(self.parent.pull)
        async with Posting() as post:
            while self.t < self.steps or not self.steps:
                x = await self.learner.apply(Tensor.clone)
                if self.parent and self.t % self.tau_up == 0:
                    post.send(self.parent, Node.hear, x, True)
                for child in self.children if self.t % self.tau_down == 0 else ():
                    post.send(child, Node.hear, x, False)
                await (self.learner.step() if self.steps else self.waiting.on(self.news.wait()))
                self.news.clear()
                self.t += 1
                loss = {"loss": self.learner.loss} if self.steps else {}
                report(step=self.t, waited=self.waiting.seconds, **loss)

    state_dict, load_state_dict = kept("t", "learner")
