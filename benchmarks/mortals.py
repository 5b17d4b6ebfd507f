"""Actors that die, and one with a large state."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class Victim:
    """Says who it is, without torch."""

    async def pid(self) -> int:
        """Return the process it lives in."""
        return os.getpid()


class Center:
    """Holds a vector, and answers something small."""

    def __init__(self, megabytes: int) -> None:
        import torch

        self.x: Tensor = torch.zeros(megabytes * 1_000_000 // 4)
        self.asked = 0

    async def touch(self) -> int:
        """Count how often it was asked."""
        self.asked += 1
        return self.asked

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"x": self.x, "asked": self.asked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.x.copy_(state["x"])
        self.asked = state["asked"]
