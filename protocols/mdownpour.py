"""MDOWNPOUR: Nesterov's momentum at the center, with τ = 1.

Zhang, Choromanska & LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015 (1412.6651),
supplement. The printed line x̃ ← x̃ + δv leaves out − ηg, without which x̃ is no look-ahead:
from y ← y + v at x̃ = y + δv there follows x̃ ← x̃ − ηg + δv.
"""

from torch import Tensor

from tether.actors import Ref, report
from tether.protocols import downpour
from tether.protocols.elastic import check_finite
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.overlap import Waiting
from tether.protocols.vector import check_like


class Center(downpour.Center):
    """Holds the point ahead x̃, at which gradients are wanted, and the velocity v."""

    def __init__(self, x: Tensor, eta: float, delta: float) -> None:
        super().__init__(x)
        if not (eta > 0 and 0 <= delta < 1):
            wanted = "eta above 0 and a momentum from 0 to below 1 are wanted"
            raise ValueError(f"eta is {eta} and delta {delta}, but {wanted}")
        self.eta, self.delta, self.v = eta, delta, x.new_zeros(x.shape)

    async def push(self, g: Tensor) -> int:
        """Make v ← δv − ηg and x̃ ← x̃ − ηg + δv, and return the t before it."""
        check_like("g", g, self.x)
        check_finite("g", g)
        self.v.mul_(self.delta).sub_(g, alpha=self.eta)
        self.x.sub_(g, alpha=self.eta).add_(self.v, alpha=self.delta)
        self.t += 1
        return self.t - 1

    state_dict, load_state_dict = kept("x", "t", "v")


class Worker(Learning):
    """Tells the center the gradients at what x̃ has been when it was asked."""

    def __init__(self, center: Ref[Center], learner: Learner, steps: int) -> None:
        self.center, self.learner, self.steps = center, learner, steps
        self.t, self.waiting = 0, Waiting()

    async def run(self) -> None:
        """Measure the gradients that are left."""
        for t in range(self.t, self.steps):
            seen, x = await self.waiting.on(self.center.dated())
            await self.learner.apply(Tensor.copy_, x)  # xⁱ ← x̃
            g = await self.learner.gradient()
            behind = await self.waiting.on(self.center.push(g)) - seen
            self.t, waited = t + 1, self.waiting.seconds
            report(step=self.t, loss=self.learner.loss, behind=behind, waited=waited)

    state_dict, load_state_dict = kept("t", "learner")
