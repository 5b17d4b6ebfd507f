"""Asynchronous EASGD (Algorithm 1) and, with δ > 0, EAMSGD (Algorithm 2).

Zhang, Choromanska & LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015 (1412.6651).
"""

from torch import Tensor

from tether.actors import Ref, buffer, report
from tether.protocols.elastic import elastic, moving_rate
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.momentum import Nesterov
from tether.protocols.overlap import Waiting, period


class Center:
    """Holds the center variable x̃; each exchange moves it towards a worker at the rate α."""

    def __init__(self, x: Tensor, alpha: float) -> None:
        self.x, self.alpha = x.detach().clone(), moving_rate(alpha)

    async def pull(self) -> Tensor:
        """Return x̃."""
        return self.x

    async def exchange(self, x: Tensor) -> Tensor:
        """Make step (b), x̃ ← x̃ + α(x − x̃), and return α(x − x̃) for the worker's step (a)."""
        return elastic(x, self.x, self.alpha, out=buffer(tuple(self.x.shape), self.x.dtype))

    state_dict, load_state_dict = kept("x")


class Worker(Learning):
    """A local learner xⁱ, tied to the center by an elastic force before every τ-th step."""

    def __init__(
        self, center: Ref[Center], learner: Learner, tau: int, steps: int, delta: float = 0.0
    ) -> None:
        self.center, self.learner, self.tau, self.steps = center, learner, period(tau), steps
        self.local, self.t, self.waiting = Nesterov(learner, delta), 0, Waiting()

    async def run(self) -> None:
        """Make the local steps that are left, from x̃ on or from the x resumed with."""
        await self.learner.begin(self.center.pull)
        for t in range(self.t, self.steps):
            if t % self.tau == 0:
                exchange = self.center.exchange(self.learner.x)
                d, g = await self.waiting.both(exchange, self.local.gradient())
                await self.learner.apply(Tensor.sub_, d)  # (a) xⁱ ← xⁱ − α(x − x̃)
                del d  # its memory is for the next difference
            else:
                g = await self.local.gradient()
            await self.local.step(g)  # xⁱ ← xⁱ − ηg(x), at the x before (a)
            self.t = t + 1
            report(step=self.t, loss=self.learner.loss, **self._told())

    def _told(self) -> dict[str, float]:
        return {"exchanges": (self.t - 1) // self.tau + 1, "waited": self.waiting.seconds}

    state_dict, load_state_dict = kept("t", "local")  # alone, it comes back at x̃
