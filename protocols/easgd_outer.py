"""EASGD whose center has an outer optimizer: it moves by momentum instead of by α(x − x̃) alone.

Zhang, Choromanska & LeCun 2015 (1412.6651), with the outer step of SlowMo (1910.00643) or of DiLoCo
(2311.08105): d = α(x − x̃),  x̃ ← outer(x̃, −d),  x ← x − d. With lr = 1 and μ = 0 it is EASGD.
"""

from torch import Tensor

from tether.actors import buffer
from tether.protocols import easgd
from tether.protocols.elastic import difference
from tether.protocols.keeping import kept
from tether.protocols.outer import Outer


class Center(easgd.Center):
    """Holds x̃ and the outer optimizer's velocity; the workers are those of `easgd`."""

    def __init__(self, x: Tensor, alpha: float, outer: Outer) -> None:
        super().__init__(x, alpha)
        self.outer = outer

    async def exchange(self, x: Tensor) -> Tensor:
        """Return d = α(x − x̃) for the worker's step (a), after an outer step of x̃ along it."""
        d = difference(x, self.x, self.alpha, buffer(tuple(self.x.shape), self.x.dtype))
        self.outer.step(self.x, -d)
        return d

    state_dict, load_state_dict = kept("x", "outer")
