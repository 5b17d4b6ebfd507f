"""A learner that learns nothing: what a node holds that only averages."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tether.protocols.keeping import fill, part
from tether.protocols.learner import Learner


class Resting(Learner):
    """Holds a flat vector x, which only `apply` moves; it has no batches and no optimizer."""

    def __init__(self, x: Tensor, device: torch.device | None = None) -> None:
        def nothing(_model: nn.Module, _batch: Any) -> Tensor:
            raise ValueError("Resting has no loss, but a gradient is wanted: give a learner")

        super().__init__(nn.ParameterList([x.detach().clone()]), nothing, device=device)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; x is taken also by one that comes back alone, for it may be the root's.

        Whoever has a newer one to begin at begins there all the same.
        """
        super().load_state_dict(state)
        fill("x", self.x, part(state, "x"))
