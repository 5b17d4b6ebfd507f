"""EASGD by turns, as ADMM goes; and what the workers of both hold before each of their turns."""

from typing import Any

from torch import Tensor

from tether.protocols import admm
from tether.protocols.elastic import difference


class Noting(admm.Worker):
    """ADMM's worker, which notes xⁱ, λⁱ and the x̃ that comes: one number each."""

    def __init__(self, learner: Any, rho: float) -> None:
        super().__init__(learner, rho)
        self.noted: list[list[float]] = []

    async def turn(self, center: Tensor) -> Tensor:
        """Note, then move."""
        self.noted.append([self.learner.x.item(), self.multiplier.item(), center.item()])
        return await super().turn(center)


class Elastic(Noting):
    """EASGD's worker by turns: xⁱ ← xⁱ − η∇F(xⁱ) − α(xⁱ − x̃), with α = ηρ; it has no λⁱ."""

    async def turn(self, center: Tensor) -> Tensor:
        """Note, then move, and return α(xⁱ − x̃)."""
        self.noted.append([self.learner.x.item(), 0.0, center.item()])
        x, alpha = self.learner.x, self.learner.eta * self.rho
        d = difference(x, center, alpha, out=x.new_empty(x.shape))
        await self.learner.step(await self.learner.gradient())
        await self.learner.apply(Tensor.sub_, d)
        return d


class Center(admm.Center):
    """EASGD's center: x̃ ← x̃ + α(xⁱ − x̃)."""

    async def run(self) -> None:
        """Give the turns."""
        for t in range(self.turns):
            self.x = self.x + await self.workers[t % len(self.workers)].turn(self.x)
