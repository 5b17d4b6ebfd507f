"""What stars whose centers gossip conserve: the weights of the centers, and each star's sum."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tether.protocols import easgd_invariants, gosgd_invariants
from tether.protocols.easgd_gossip import Center
from tether.protocols.easgd_invariants import held
from tether.protocols.invariant import Call, Life, View


class Weights(gosgd_invariants.Conservation):
    """Σ a + Σ leaks over all centers, and Σ a·x̃ + Σ leaks − Σ a·(differences of exchanges)."""

    kind = Center

    def answered(self, call: Call, answer: Any) -> None:
        """Book an exchange, which has moved x̃ by what it answers."""
        self.roundings += 4
        if call.method == "exchange" and isinstance(answer, Tensor):
            a = self.owned[call.target.name].own.a
            self._move([(a, gosgd_invariants.wide(answer))], 1.0)


class Stars(easgd_invariants.Conservation):
    """EASGD's sum, x̃ + Σxⁱ − Σ(differences under way), where pushes of others move x̃ too."""

    _apart = False

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.last: dict[str, Tensor] = {}
        """Each x̃ as it was when its center had handled a message."""

    def made(self, life: Life, actor: Any) -> None:
        """See a center or a worker come."""
        super().made(life, actor)
        if isinstance(actor, Center):
            self.last[life.name] = held(actor)

    def answered(self, call: Call, answer: Any) -> None:
        """Book what a push has moved; an exchange is to have moved x̃ by what it answers."""
        super().answered(call, answer)
        center = self.owned.get(call.target.name)
        if isinstance(center, Center):
            before, self.last[call.target.name] = self.last[call.target.name], held(center)
            if call.method == "push":
                self.moved = self.moved + (held(center) - before)
                self.roundings += 4


INVARIANTS = (Weights, Stars)
