"""What EASGD conserves in the paper's messages: the same, though a difference may be stale."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tether.protocols import easgd_invariants
from tether.protocols.easgd_invariants import held
from tether.protocols.easgd_paper import Center
from tether.protocols.invariant import Call, Life, View


class Conservation(easgd_invariants.Conservation):
    """x̃ + Σxⁱ − Σ(differences under way) = Σ(steps) + Σ(leaks), in every coordinate.

    A difference is under way from when a center has added it until its worker has subtracted it.
    What somebody else adds, such as one who ties two centers, is booked as a step.
    """

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.centers: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See a center or a worker come."""
        super().made(life, actor)
        if isinstance(actor, Center):
            self.centers[life.name] = held(actor)

    def answered(self, call: Call, answer: Any) -> None:
        """Note by how much a center has moved."""
        name = call.target.name
        if call.method != "add" or not isinstance(answer, int):
            return
        d = held(self.owned[name]) - self.centers[name]
        self.centers[name] += d
        if call.source.name in self.lives:
            self._answered(call, d)
        else:
            self._move(d, "")


INVARIANTS = (Conservation,)
