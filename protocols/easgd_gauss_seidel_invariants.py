"""What moves whom in the Gauss-Seidel form: the workers the center, and then it the workers."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from tether.protocols.easgd_gauss_seidel import Center, Worker
from tether.protocols.easgd_invariants import wide
from tether.protocols.easgd_synchronous_invariants import UNSURE
from tether.protocols.easgd_tree_invariants import ROUNDINGS, approached, epsilon
from tether.protocols.invariant import Call, Life, View


class Moves:
    """x̃ moves by  α Σ (xⁱ − x̃)  of workers that were asked, and xⁱ, but for steps, by  −α(xⁱ − x̃).

    Nothing is conserved; what is booked as a leak is how far deaths have moved somebody.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.actors: dict[str, tuple[Life, Any]] = {}
        self.center = ""
        self.centers: list[Tensor] = []
        """All x̃ there have been, in float64."""
        self.told: dict[Life, Tensor] = {}
        """The xⁱ that each worker's life told last, since the center's last move."""
        self.wrong, self.largest = "", 1.0
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See a center or a worker come, or come back."""
        if not isinstance(actor, Center | Worker):
            return
        x, before = wide(actor.learner.x), self.actors.get(life.name)
        if before is not None:
            self._leak(f"{life.name} came back", x - wide(before[1].learner.x))
        self.actors[life.name] = life, actor
        if isinstance(actor, Center):
            self.center, self.told = life.name, {}
            self.centers.append(x)

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before it is written."""
        if work == "apply" and name in self.actors and self.center:
            self._x[name] = wide(self.actors[name][1].learner.x)

    def after(self, name: str, work: str) -> None:  # noqa: ARG002
        """See where it has gone."""
        before = self._x.pop(name, None)
        if before is None:
            return
        life, actor = self.actors[name]
        x = wide(actor.learner.x)
        self.largest = max(self.largest, float(x.abs().max()))
        if name == self.center:
            self._moved(before, x, actor)
        elif not approached(before, x, self.centers, self._alpha, epsilon(actor)):
            self._tell(f"{name} moved towards what was no x̃")
        elif life.incarnation > 1 and any(torch.equal(x, center) for center in self.centers):
            self._leak(f"{name} began at x̃", x - before)

    def answered(self, call: Call, answer: Any) -> None:
        """Note what a worker has told the center."""
        life, _ = self.actors.get(self.center, (None, None))
        if call.method == "join" and isinstance(answer, Tensor) and life == call.source:
            self.told[call.target] = wide(answer)

    def check(self) -> str:
        """Return what went wrong; nothing but a move changes x̃."""
        if self.center in self.view.actors:
            x = wide(self.actors[self.center][1].learner.x)
            if not torch.equal(x, self.centers[-1]):
                self._tell("x̃ was moved, but not by the workers")
        return self.wrong

    @property
    def _alpha(self) -> float:
        alpha: float = self.actors[self.center][1].alpha
        return alpha

    def _moved(self, before: Tensor, x: Tensor, center: Center) -> None:
        """Compare with what the workers told; who has died, or was late, may be left out."""
        told = [*self.told.values()]
        sure, unsure = told[UNSURE:], told[:UNSURE]
        subsets = [
            [*sure, *some] for k in range(len(unsure) + 1) for some in combinations(unsure, k)
        ]
        moves = [sum((y - before for y in ys), torch.zeros_like(x)) for ys in subsets]
        wanted = before + torch.stack(moves) * center.alpha
        off = float((wanted - x).abs().amax(1).min())
        if not off <= ROUNDINGS * epsilon(center) * self.largest:
            self._tell(f"x̃ is off the sum of the workers' differences by {off:.3g}")
        self.told = {}
        self.centers.append(x)

    def _tell(self, sentence: str) -> None:
        self.wrong = self.wrong or sentence

    def _leak(self, why: str, what: Tensor) -> None:
        if bool(what.any()):
            self.view.leak(why, float(what.norm()))


INVARIANTS = (Moves,)
