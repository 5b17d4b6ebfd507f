"""The elastic move on flat vectors: what ties a worker's x to the center's x̃.

Zhang, Choromanska & LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tether.protocols.vector import check_like


def moving_rate(alpha: float) -> float:
    """Return α; raises ValueError unless it is a rate from 0 (x̃ stays) to 1 (x̃ becomes x)."""
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}, but a moving rate from 0 to 1 is wanted")
    return alpha


def difference(x: Tensor, center: Tensor, alpha: float, out: Tensor) -> Tensor:
    """Write the elastic difference α(x − x̃) into `out`; raises ValueError if it is not finite.

    All three are flat vectors of one dtype and device. Neither x nor x̃ is changed.
    """
    check_like("x", x, center)
    check_like("out", out, center)
    torch.sub(x, center, out=out).mul_(alpha)
    check_finite("the elastic difference α(x − x̃)", out)
    return out


def elastic(x: Tensor, center: Tensor, alpha: float, out: Tensor) -> Tensor:
    """Move the center, x̃ ← x̃ + α(x − x̃), and return the difference, written into `out`.

    The worker's half is x ← x − difference: the same numbers, so that x + x̃ is conserved. Raises
    ValueError before the center has changed when the difference is not finite.
    """
    center += difference(x, center, alpha, out)
    return out


def added(center: Tensor, *differences: Tensor) -> Tensor:
    """Move the center by differences taken elsewhere, one after the other.

    Raises ValueError before it has changed if one of them is not finite.
    """
    for difference in differences:
        check_like("the difference", difference, center)
        check_finite("the difference", difference)
    for difference in differences:
        center += difference
    return center


def approach(x: Tensor, y: Tensor, alpha: float) -> Tensor:
    """Move x towards a state y of another, x ← x + α(y − x), which does not move.

    Both are flat vectors of one dtype and device. Raises ValueError before x has changed when the
    difference is not finite.
    """
    return added(x, difference(y, x, alpha, out=torch.empty_like(x)))


def check_finite(name: str, vector: Tensor) -> Tensor:
    """Return a vector; raises ValueError, saying what and how many, unless all of it is finite."""
    # One pass that needs no memory: a sum stays NaN or infinite. It may also run over: then each
    # number is looked at.
    if not torch.isfinite(vector.sum()):
        wrong = vector.numel() - int(torch.isfinite(vector).sum())
        if wrong:
            raise ValueError(f"{name} has {wrong} of {vector.numel()} numbers NaN or infinite")
    return vector
