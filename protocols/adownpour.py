"""ADOWNPOUR and MVADOWNPOUR: DOWNPOUR whose center averages what it went through.

Zhang, Choromanska & LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015 (1412.6651),
section 5. The workers are those of `downpour`.
"""

from torch import Tensor

from tether.protocols import downpour
from tether.protocols.elastic import check_finite
from tether.protocols.keeping import kept
from tether.protocols.polyak import Polyak
from tether.protocols.vector import check_like


class Center(downpour.Center):
    """Holds x̃, and to be evaluated z: at each update z ← (1 − a)z + ax̃, at the x̃ before it.

    a = 1/(t+1) at the clock t (ADOWNPOUR), or a constant, the paper's 0.001 (MVADOWNPOUR).
    """

    def __init__(self, x: Tensor, a: float | None = None) -> None:
        super().__init__(x)
        self.average = Polyak(x, a)

    async def pull(self) -> Tensor:
        """Return z."""
        return self.average.z

    async def push(self, v: Tensor) -> int:
        """Make z ← (1 − a)z + ax̃ and x̃ ← x̃ + v, and return the t before it."""
        check_like("v", v, self.x)
        check_finite("v", v)  # before z has changed
        self.average.fold(self.x)
        return await super().push(v)

    state_dict, load_state_dict = kept("x", "t", "average")
