"""Outer optimizers: how a consensus c moves by the mean difference D of those who left it.

c ← c − D is plain averaging. Block momentum (Chen & Huo 2016) and SlowMo (Wang et al., ICLR 2020,
1910.00643) keep a velocity; DiLoCo's is Nesterov's (Douillard et al. 2023, 2311.08105).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tether.protocols.elastic import check_finite
from tether.protocols.keeping import part
from tether.protocols.vector import check_like


def averaged(c: Tensor, D: Tensor, lr: float) -> None:
    """Make c ← c − lr·D."""
    c.sub_(D, alpha=lr)


def heavy_ball(c: Tensor, u: Tensor, D: Tensor, lr: float, mu: float) -> None:
    """Make u ← μu + D and c ← c − lr·u."""
    u.mul_(mu).add_(D)
    c.sub_(u, alpha=lr)


def accelerated(c: Tensor, u: Tensor, D: Tensor, lr: float, mu: float) -> None:
    """Make u ← μu + D and c ← c − lr·(D + μu), which is Nesterov's step as torch's SGD makes it."""
    u.mul_(mu).add_(D)
    c.sub_(torch.add(D, u, alpha=mu), alpha=lr)


class Outer:
    """One step of c a call of `step`; all that is kept is u, and nothing while μ is 0.

    D is how far others went from c, backwards: c − w, or their mean, as flat as c. So an elastic
    center steps along −α(x − x̃), and one who merges gossip along x − merged.
    """

    def __init__(self, lr: float = 1.0, mu: float = 0.0, *, ahead: bool = False) -> None:
        if not 0 < lr <= 10:
            raise ValueError(f"lr is {lr}, but an outer rate above 0, at most 10 is wanted")
        if not 0 <= mu < 1:
            raise ValueError(f"mu is {mu}, but an outer momentum from 0 to below 1 is wanted")
        self.lr, self.mu, self.ahead = lr, mu, ahead
        self.u: Tensor | None = None

    def step(self, c: Tensor, D: Tensor) -> None:
        """Move c; raises ValueError before it has changed if D is not like it, or not finite."""
        check_like("the difference D", D, c)
        check_finite("the difference D", D)
        if not self.mu:
            return averaged(c, D, self.lr)
        if self.u is None:
            self.u = torch.zeros_like(c)
        return (accelerated if self.ahead else heavy_ball)(c, self.u, D, self.lr, self.mu)

    def state_dict(self) -> dict[str, Any]:
        """Return u, None before the first step and without momentum."""
        return {"u": self.u}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        u = part(state, "u")
        self.u = None if u is None or not self.mu else u.clone()


def averaging() -> Outer:
    """Return plain averaging: c becomes the mean."""
    return Outer()


def block_momentum(lr: float = 1.0, mu: float = 0.5) -> Outer:
    """Return block momentum; with a constant inner rate it is SlowMo with α = lr and β = μ."""
    return Outer(lr, mu)


def nesterov(lr: float = 0.7, mu: float = 0.9) -> Outer:
    """Return DiLoCo's outer optimizer."""
    return Outer(lr, mu, ahead=True)
