"""Synchronous EASGD in the Gauss-Seidel form: the center moves first, and the workers by the new x̃.

Zhang, "Distributed stochastic optimization for deep learning", thesis, 2016 (1605.02216). With
α = 1 it is DOWNPOUR with τ = 1. The force is not symmetric: x̃ + Σxⁱ is not conserved.
"""

from torch import Tensor, empty_like

from tether.actors import report
from tether.protocols import easgd_synchronous
from tether.protocols.easgd_synchronous import Worker
from tether.protocols.elastic import added, difference

__all__ = ["Center", "Worker"]


def moved(center: Tensor, alpha: float, xs: list[Tensor]) -> Tensor:
    """Move the center, x̃ ← x̃ + α Σ (xⁱ − x̃), with the x̃ before in all differences."""
    return added(center, *[difference(x, center, alpha, out=empty_like(x)) for x in xs])


class Center(easgd_synchronous.Center):
    """Holds x̃, and moves it towards all who are there before they move."""

    async def run(self) -> None:
        """Make the steps that are left."""
        async with self.patience as all_:
            while self.t < self.steps:
                xs = await all_.ask(self.workers, lambda i: i.join(self.learner.x))
                await self.learner.apply(moved, self.alpha, xs)
                await all_.ask(self.workers, lambda i: i.step(self.learner.x, self.alpha))
                self.t += 1
                report(step=self.t, **all_.told)
