"""EASGD and EAMSGD in the messages of Algorithm 1: the worker pulls x̃, subtracts, and sends.

Zhang, Choromanska & LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015 (1412.6651).
"""

from torch import Tensor

from tether.actors import Ref, buffer
from tether.protocols import easgd
from tether.protocols.elastic import added, difference
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner


class Center(easgd.Center):
    """Holds x̃, and is moved by differences that workers have taken."""

    moves = 0
    state_dict, load_state_dict = kept("x", "moves")

    async def read(self) -> tuple[Tensor, float, int]:
        """Return x̃, α, and how often x̃ has been moved."""
        return self.x, self.alpha, self.moves

    async def add(self, d: Tensor) -> int:
        """Make step (b), x̃ ← x̃ + d with d = α(x − x̃); return how often x̃ was moved before."""
        added(self.x, d)
        self.moves += 1
        return self.moves - 1


class ByParts(easgd.Center):
    """Stands before the center, and makes an exchange of a pull and a difference."""

    def __init__(self, center: Ref[Center]) -> None:
        self.center, self.behind = center, 0

    async def pull(self) -> Tensor:
        """Return x̃."""
        return await self.center.pull()

    async def exchange(self, x: Tensor) -> Tensor:
        """Take d = α(x − x̃), have the center make step (b), and return d for step (a)."""
        center, alpha, before = await self.center.read()
        d = difference(x, center, alpha, out=buffer(tuple(x.shape), x.dtype))
        self.behind = max(0, await self.center.add(d) - before)  # a new center has moved less
        return d


class Worker(easgd.Worker):
    """The worker of `easgd`, with a center that is exchanged with by parts."""

    def __init__(
        self, center: Ref[Center], learner: Learner, tau: int, steps: int, delta: float = 0.0
    ) -> None:
        self.parts = ByParts(center)
        super().__init__(self.parts, learner, tau, steps, delta)

    def _told(self) -> dict[str, float]:
        return super()._told() | {"behind": self.parts.behind}
