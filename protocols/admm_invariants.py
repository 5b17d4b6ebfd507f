"""What ADMM in turns promises: x̃ is the mean of what the workers told, each the last it told."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from tether.protocols.admm import Center, Worker
from tether.protocols.aggregator_invariants import digest
from tether.protocols.easgd_invariants import wide
from tether.protocols.invariant import Call, Life, View

ROUNDINGS = 16
"""Roundings that are let pass in a turn, in units of the largest number."""


class Turns:
    """x̃ = 1/p Σⱼ (xʲ − λʲ)  of what was told, and  λⁱ ← λⁱ − (xⁱ − x̃)  at each turn of i.

    Leaks are what a death undoes: of x̃, or of a worker's xⁱ − λⁱ.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.actors: dict[str, tuple[Life, Any]] = {}
        self.center = ""
        self.told: defaultdict[int, set[bytes]] = defaultdict(set)
        """What each worker has told, and what its center began with for it."""
        self.wrong, self.largest = "", 1.0
        self._turns: dict[str, Tensor] = {}
        """λⁱ − xⁱ as they are at the beginning of a turn."""

    def made(self, life: Life, actor: Any) -> None:
        """See a center or a worker come, or come back."""
        if not isinstance(actor, Center | Worker):
            return
        if (before := self.actors.get(life.name)) is not None:
            self._leak(f"{life.name} came back", kept(actor) - kept(before[1]))
        self.actors[life.name] = life, actor
        if isinstance(actor, Center):
            self.center = life.name
            for i in range(len(actor.workers)):
                self.told[i] |= {digest(actor.x), *map(digest, actor.each[i : i + 1])}

    def before(self, name: str, work: str) -> None:
        """Keep what a worker has at the beginning of its turn."""
        if work == "gradient" and name in self.actors:
            self._turns[name] = -kept(self.actors[name][1])

    def after(self, name: str, work: str) -> None:
        """Let it work."""

    def answered(self, call: Call, answer: Any) -> None:
        """See what a worker tells, and that its multiplier has moved as it has to."""
        if call.method != "turn" or not isinstance(answer, Tensor):
            return
        name = call.target.name
        worker, (life, center) = self.actors[name][1], self.actors[self.center]
        self.told[int(name.rpartition("/")[2])].add(digest(answer))
        wanted = self._turns.pop(name)
        self.largest = max(self.largest, float(wide(answer).abs().max()))
        if life == call.source and self.center in self.view.actors:
            off = float((wide(worker.multiplier) - wanted - wide(center.x)).abs().max())
            if not off <= ROUNDINGS * torch.finfo(answer.dtype).eps * self.largest:
                self._tell(f"the multiplier of {name} is off λ − (x − x̃) by {off:.3g}")
        if not torch.equal(answer, worker.learner.x - worker.multiplier):
            self._tell(f"{name} told what is not its x − λ")

    def check(self) -> str:
        """Compare x̃ with the mean of what was told."""
        center = self.view.actors.get(self.center)
        if isinstance(center, Center) and center.t and center.each:
            if not torch.equal(center.x, torch.stack(center.each).mean(0)):
                self._tell("x̃ is not the mean of what it has from each worker")
            for i, each in enumerate(center.each):
                if digest(each) not in self.told[i]:
                    self._tell(f"what x̃ has from worker {i} is not what that has told")
        return self.wrong

    def _tell(self, sentence: str) -> None:
        self.wrong = self.wrong or sentence

    def _leak(self, why: str, what: Tensor) -> None:
        if bool(what.any()):
            self.view.leak(why, float(what.norm()))


def kept(actor: Center | Worker) -> Tensor:
    """Return x̃, or a worker's x − λ, in float64."""
    if isinstance(actor, Center):
        return wide(actor.x)
    return wide(actor.learner.x) - wide(actor.multiplier)


INVARIANTS = (Turns,)
