"""How likely a peer is to send: a fixed p, or one that holds a declared disagreement."""

from __future__ import annotations

from math import exp, isfinite, sqrt

import torch
from torch import Tensor

from tether.protocols.keeping import kept

LOWEST = 2.0**-10
"""The smallest p of a controller: with none at all nothing would ever be seen again."""
MOST = 2.0
"""By how much one message changes p at most, for its distance and for the interval."""
SHARE = 0.25
"""How far log p goes at a message towards what the interval since the last one says of others'."""
EULER = 0.5772156649015329
"""E[log 1/n] is log p + γ, for intervals n between events of a small chance p."""


def held(p: float, distance: float, apart: float, interval: int) -> float:
    """Return the next p, where a message has come from a peer at this distance ‖x − x_j‖.

    Of two peers that are each s from the mean the distance is √2·s. Between two messages the
    variance s² grows by the noise of about 1/p steps, so it is in proportion to 1/p, and
    p·(s/apart)² would hold `apart`. One distance is one sample: p is multiplied by the root.

    How far one is from others is in their hands too: it is they who send. So p follows what the
    `interval` of steps since the last message says of their p, lest all come to lie apart.
    """
    seen = distance / (sqrt(2) * apart)
    others = (1 / (max(interval, 1) * p)) ** SHARE * exp(-EULER * SHARE * (1 - p))
    return min(1.0, max(LOWEST, p * bounded(seen) * bounded(others)))


def bounded(change: float) -> float:
    """Return a factor that is not too far from 1."""
    return min(MOST, max(1 / MOST, change))


class Fixed:
    """A p that stays as it is."""

    def __init__(self, p: float) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p is {p}, but a probability from 0 to 1 is wanted, or 'auto'")
        self.p = p

    def saw(self, x: Tensor, x_j: Tensor, t: int) -> None:
        """See what is about to be merged at one's step t."""

    state_dict, load_state_dict = kept()  # nothing: p is the wiring's


class Held(Fixed):
    """A p by which peers are `apart` from their mean, ‖xⁱ − x̄‖, with few messages; begins at 1.

    It costs one pass over x a message. In float16 and bfloat16 the distance is rounded as they are.
    """

    def __init__(self, apart: float) -> None:
        if not (isfinite(apart) and apart > 0):
            raise ValueError(
                f"apart is {apart}, but with p = 'auto' a disagreement above 0 is wanted"
            )
        super().__init__(1.0)
        self.apart, self.last = apart, 0

    def saw(self, x: Tensor, x_j: Tensor, t: int) -> None:
        """Choose p anew."""
        distance = float(torch.dist(x, x_j.to(x.device)))
        self.p, self.last = held(self.p, distance, self.apart, t - self.last), t

    state_dict, load_state_dict = kept("p", "last")


def rate(p: float | str, apart: float) -> Fixed:
    """Return what p is; raises ValueError unless it is a probability, or "auto" with an `apart`."""
    if isinstance(p, str) and p != "auto":
        raise ValueError(f"p is {p!r}, but a probability from 0 to 1 is wanted, or 'auto'")
    return Held(apart) if isinstance(p, str) else Fixed(p)
