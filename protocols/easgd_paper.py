"""EASGD and EAMSGD in the messages of the paper's Algorithm 1, where the worker subtracts.

Zhang, Choromanska & LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015 (1412.6651).
A worker pulls x̃, takes the difference itself and sends it; others may move x̃ in between, so it may
be stale. The sum of x and x̃ is conserved all the same. `easgd` exchanges in one message.
"""

from torch import Tensor

from tether.actors import Ref, buffer
from tether.protocols import easgd
from tether.protocols.elastic import added, difference
from tether.protocols.learner import Learner


class Center(easgd.Center):
    """Holds x̃, and is moved by differences that workers have taken."""

    async def rate(self) -> float:
        """Return α."""
        return self.alpha

    async def add(self, d: Tensor) -> None:
        """Make step (b): x̃ ← x̃ + d, with d = α(x − x̃)."""
        added(self.x, d)


class ByParts(easgd.Center):
    """Stands before the center, and makes an exchange of a pull and a difference."""

    def __init__(self, center: Ref[Center]) -> None:
        self.center = center

    async def pull(self) -> Tensor:
        """Return x̃."""
        return await self.center.pull()

    async def exchange(self, x: Tensor) -> Tensor:
        """Take d = α(x − x̃), have the center make step (b), and return d for step (a)."""
        d = buffer(tuple(x.shape), x.dtype)
        difference(x, await self.center.pull(), await self.center.rate(), out=d)
        await self.center.add(d)
        return d


class Worker(easgd.Worker):
    """The worker of `easgd`, with a center that is exchanged with by parts."""

    def __init__(
        self, center: Ref[Center], learner: Learner, tau: int, steps: int, delta: float = 0.0
    ) -> None:
        super().__init__(ByParts(center), learner, tau, steps, delta)
