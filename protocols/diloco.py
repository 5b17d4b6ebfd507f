"""DiLoCo and Streaming DiLoCo: any inner optimizer, Nesterov outside, and fragments in turn.

Douillard et al. 2023 (2311.08105) and 2025 (2501.18512). Fragment p of P, every H steps, offset by
H/P from the one before:  Δ = mean(c − w),  c ← c − Nesterov(Δ),  and τ steps after Δ was sent
w ← αw + (1 − α)c.  DiLoCo is P = 1, τ = 0, α = 0.
"""

from torch import Tensor, tensor_split

from tether.actors import Group, Ref, oneway, report
from tether.protocols.aggregator import Aggregator
from tether.protocols.fragments import Fragments
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.outer import Outer, nesterov
from tether.protocols.rounds import Averaging, Member, News
from tether.protocols.schedule import staggered


class Fragment(Aggregator):
    """Holds part p of the P parts of the consensus; the outer optimizer is DiLoCo's own."""

    def __init__(
        self, c: Tensor, workers: Group[Member], H: int, part: int = 0, of: int = 1,
        outer: Outer | None = None,
    ) -> None:  # fmt: skip
        schedule = staggered(H, part, of)
        super().__init__(tensor_split(c, of)[part], workers, schedule, outer or nesterov(), part)


class Worker(Learning):
    """Worker k, whose fragments are under way while it goes on with its inner steps."""

    def __init__(
        self, fragments: Group[Averaging], me: Ref[Member], learner: Learner, steps: int,
        tau: int = 0, alpha: float = 0.0, patience: float = 60.0,
    ) -> None:  # fmt: skip
        self.learner, self.steps, self.t = learner, steps, 0
        self.parts = Fragments(fragments, me, learner, tau, alpha, patience)
        self.waiting = self.parts.waiting

    async def run(self) -> None:
        """Make the inner steps that are left, from c on or from the w resumed with."""
        resumed = self.learner.resumed
        await self.learner.begin(self.parts.join)
        self.t = self.t if resumed else self.parts.base
        while self.t < self.steps:
            await self.learner.step(await self.learner.gradient())  # w ← InnerOpt(w, ∇f(w))
            self.t += 1
            await self.parts.send(self.t)  # Δ = c − w, of what is due
            await self.parts.take(self.t, last=self.t == self.steps)  # w ← αw + (1 − α)c
            self.t = max(self.t, self.parts.base)
            report(step=self.t, loss=self.learner.loss, waited=self.waiting.seconds)

    @oneway
    async def adopt(self, news: News, c: Tensor, beside: Tensor | None) -> None:
        """Put a fragment of the consensus aside until τ steps have gone by."""
        self.parts.put(news, c, beside)

    state_dict, load_state_dict = kept("t", "parts", "learner")
