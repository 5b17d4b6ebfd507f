"""The average z of what an optimizer goes through: of all of it alike, or of the latest.

Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992. ASGD, MVASGD,
ADOWNPOUR and MVADOWNPOUR in Zhang, Choromanska & LeCun 2015 (1412.6651) are named after it.
"""

from __future__ import annotations

from torch import Tensor

from tether.protocols.keeping import kept


class Polyak:
    """z ← (1 − a)z + ax at each x, in their order; begins as the first x, in memory of its own.

    Without a rate, a = 1/(t+1) at the clock t, so z is the mean of all x so far; with a constant
    one it is the moving average. Raises ValueError unless the rate is above 0, and 1 at most.
    """

    def __init__(self, x: Tensor, a: float | None = None) -> None:
        if a is not None and not 0 < a <= 1:
            raise ValueError(f"a is {a}, but an averaging rate above 0 and up to 1 is wanted")
        self.z, self.a, self.t = x.detach().clone(), a, 0

    def fold(self, x: Tensor) -> None:
        """Take the next x, a flat vector like z."""
        self.z.lerp_(x, 1 / (self.t + 1) if self.a is None else self.a)
        self.t += 1

    state_dict, load_state_dict = kept("z", "t")
