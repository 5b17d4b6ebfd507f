"""ADMM in turns: eqs (9) to (11) of Zhang, Choromanska & LeCun, NeurIPS 2015 (1412.6651)."""

from torch import Tensor, stack

from tether.actors import Group, report
from tether.protocols.elastic import check_finite
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.overlap import Waiting


class Worker(Learning):
    """Holds xⁱ and its multiplier λⁱ, which move at its turns only."""

    def __init__(self, learner: Learner, rho: float) -> None:
        self.learner, self.rho, self.t, self.begun, self.waiting = learner, rho, 0, False, Waiting()
        self.multiplier = learner.x.new_zeros(learner.x.shape)

    async def begin(self, center: Tensor) -> None:
        """Take x̃ for xⁱ, unless it has moved or was resumed with its x."""
        if not (self.begun or self.learner.resumed):
            await self.learner.apply(Tensor.copy_, center)
        self.begun = True

    async def turn(self, center: Tensor) -> Tensor:
        """Make (9) and (10) with x̃, and return xⁱ − λⁱ."""
        self.waiting.resume()
        await self.begin(center)  # who has come back
        g = await self.learner.gradient()
        self.multiplier -= self.learner.x - center  # (9) λⁱ ← λⁱ − (xⁱ − x̃)
        await self.learner.step(g)  # (10) xⁱ ← (xⁱ − η∇F(xⁱ) + ηρ(λⁱ + x̃)) / (1 + ηρ)
        self.t, alpha, pull = self.t + 1, self.learner.eta * self.rho, self.multiplier + center
        await self.learner.apply(lambda x: x.add_(pull, alpha=alpha).div_(1 + alpha))
        report(step=self.t, loss=self.learner.loss, waited=self.waiting.pause())
        return self.learner.x - self.multiplier

    state_dict, load_state_dict = kept("t", "multiplier", "learner")


class Center:
    """Holds x̃ and the xʲ − λʲ that it is the mean of; worker t mod p moves at turn t."""

    def __init__(self, x: Tensor, workers: Group[Worker], turns: int) -> None:
        self.x, self.workers, self.turns, self.t = x.detach().clone(), workers, turns, 0
        self.each: list[Tensor] = []

    async def pull(self) -> Tensor:
        """Return x̃."""
        return self.x

    async def run(self) -> None:
        """Give the turns that are left."""
        await self.workers.map(Worker.begin, self.x)
        self.each = (self.each + [self.x] * (p := len(self.workers)))[:p]  # who is new is at x̃
        for t in range(self.t, self.turns):
            self.each[t % p] = check_finite("x − λ", await self.workers[t % p].turn(self.x))
            self.x, self.t = stack(self.each).mean(0), t + 1  # (11) x̃ ← 1/p Σⱼ (xʲ − λʲ)
            report(step=self.t)

    state_dict, load_state_dict = kept("x", "each", "t")
