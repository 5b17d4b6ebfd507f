"""What travels beside x when workers average: momentum and buffers, as far as it is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from tether.protocols.learner import Learner
from tether.protocols.vector import check_like

Momentum = Literal["local", "averaged", "reset"]
Buffers = Literal["local", "averaged"]


class Beside:
    """A learner's optimizer state and float buffers, such as BatchNorm's running statistics.

    Momentum may stay with its worker, be averaged like x, or begin anew each round; buffers stay or
    are averaged. Counters, and all that is no floating tensor, stay.
    """

    def __init__(self, learner: Learner, momentum: Momentum, buffers: Buffers) -> None:
        for name, value, wanted in (
            ("momentum", momentum, ("local", "averaged", "reset")),
            ("buffers", buffers, ("local", "averaged")),
        ):
            if value not in wanted:
                raise ValueError(f"{name} is {value!r}, but one of {', '.join(wanted)} is wanted")
        self.learner, self.momentum, self.buffers = learner, momentum, buffers

    def take(self) -> Tensor | None:
        """Return a flat copy, in x's dtype, of all that is averaged; None where nothing is."""
        each = [value.detach().flatten() for value in self._averaged()]
        return torch.cat([value.to(self.learner.x.dtype) for value in each]) if each else None

    def put(self, mean: Tensor | None) -> None:
        """Take over what all agreed on, and let momentum begin anew where that is declared."""
        if self.momentum == "reset":
            for value in velocities(self.learner):
                value.zero_()
        mine = list(self._averaged())
        if mean is None or not mine:
            return
        check_like("what travels beside x", mean, mean.new_empty(sum(v.numel() for v in mine)))
        pieces = torch.split(mean, [value.numel() for value in mine])
        for value, piece in zip(mine, pieces, strict=True):
            value.copy_(piece.view(value.shape))

    def _averaged(self) -> Iterator[Tensor]:
        if self.momentum == "averaged":
            yield from velocities(self.learner)
        if self.buffers == "averaged":
            yield from (b for b in self.learner.model.buffers() if b.is_floating_point())


def velocities(learner: Learner) -> Iterator[Tensor]:
    """Yield what an optimizer keeps a number of for each parameter: momenta, in a fixed order."""
    if learner.optimizer is None:
        return
    for group in learner.optimizer.param_groups:
        for parameter in group["params"]:
            state = learner.optimizer.state.get(parameter, {})
            for name in sorted(state):
                value = state[name]
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    yield value
