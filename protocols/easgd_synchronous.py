"""Synchronous EASGD, (5) and (6) in "Deep learning with Elastic Averaging SGD" (1412.6651).

Zhang, Choromanska & LeCun, NeurIPS 2015. All move at once, each from what all were before.
"""

from torch import Tensor

from tether.actors import Group, buffer, report
from tether.protocols.elastic import added, difference, moving_rate
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.overlap import Waiting, living
from tether.protocols.resting import Resting


class Worker(Learning):
    """A local learner xⁱ, which makes a step when the center has all make one."""

    def __init__(self, learner: Learner) -> None:
        self.learner, self.t, self.waiting, self.begun = learner, 0, Waiting(), False

    async def join(self, center: Tensor) -> Tensor:
        """Return xⁱ; whoever is new begins at x̃."""
        if not (self.begun or self.learner.resumed):
            await self.learner.apply(Tensor.copy_, center)
        self.begun = True
        return self.learner.x

    async def step(self, center: Tensor, alpha: float) -> Tensor:
        """Make step (5), xⁱ ← xⁱ − ηg(xⁱ) − α(xⁱ − x̃), and return α(xⁱ − x̃) for step (6)."""
        self.waiting.resume()
        x = await self.join(center)
        d = difference(x, center, alpha, out=buffer(len(x), x.dtype))
        g = await self.learner.gradient()
        await self.learner.apply(Tensor.sub_, d)
        await self.learner.step(g)
        self.t += 1
        report(step=self.t, loss=self.learner.loss, waited=self.waiting.pause())
        return d

    state_dict, load_state_dict = kept("t", "learner")


class Center(Learning):
    """Holds x̃, and has all workers that live make each step from (xᵗ, x̃ᵗ): the Jacobi form."""

    def __init__(self, x: Tensor, alpha: float, workers: Group[Worker], steps: int) -> None:
        self.learner, self.alpha = Resting(x), moving_rate(alpha)
        self.workers, self.steps, self.t = workers, steps, 0

    async def run(self) -> None:
        """Make the steps that are left."""
        while self.t < self.steps:
            ds = await living(self.workers, lambda i: i.step(self.learner.x, self.alpha))
            await self.learner.apply(added, *ds)  # (6) x̃ ← x̃ + α Σ (xⁱ − x̃)
            self.t += 1
            report(step=self.t)

    state_dict, load_state_dict = kept("t", "learner")
