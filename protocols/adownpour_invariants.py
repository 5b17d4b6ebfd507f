"""What ADOWNPOUR promises beside DOWNPOUR: z is the average of all that x̃ was before a push."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch

from tether.protocols.adownpour import Center
from tether.protocols.invariant import Call, Life, View
from tether.protocols.polyak import Polyak


class Averages:
    """z ← (1 − a)z + ax̃  at each push, with the x̃ before it, bit for bit.

    What z is after its center's death is a leak.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.center: tuple[Life, Center] | None = None
        self.average, self.x = Polyak(torch.empty(0)), torch.empty(0)

    def made(self, life: Life, actor: Any) -> None:
        """See a center come, or come back."""
        if not isinstance(actor, Center):
            return
        if self.center is not None:
            change = actor.average.z - self.average.z
            if bool(change.any()):
                self.view.leak(f"the z of {life.name} came back", float(change.norm()))
        self.center, self.average, self.x = (life, actor), deepcopy(actor.average), actor.x.clone()

    def before(self, name: str, work: str) -> None:
        """Let it work."""

    def after(self, name: str, work: str) -> None:
        """Let it work."""

    def answered(self, call: Call, answer: Any) -> None:
        """See a push."""
        if self.center is None or self.center[0] != call.target:
            return
        if call.method == "push" and isinstance(answer, int):
            self.average.fold(self.x)
            self.x = self.center[1].x.clone()

    def check(self) -> str:
        """Compare z with the average of what was seen."""
        if self.center is None or self.center[0].name not in self.view.actors:
            return ""
        same = torch.equal(self.center[1].average.z, self.average.z)
        return "" if same else "z is not the average of what x̃ was before each push"


INVARIANTS = (Averages,)
