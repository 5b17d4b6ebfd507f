"""What synchronous EASGD conserves: only gradients move the sum of all variables."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tether.protocols import easgd_gauss_seidel
from tether.protocols.easgd_invariants import ROUNDINGS, wide
from tether.protocols.easgd_synchronous import Center, Worker
from tether.protocols.invariant import Call, Life, View

UNSURE = 10
"""Differences of which it is tried out which of them have come, at most; there are few."""
PATIENCE = 2
"""Moves of the center after which what the dead have told it cannot come any more."""


class Told(NamedTuple):
    """What a worker has told; and, since it died, how often the center has moved without it."""

    name: str
    d: Tensor
    without: int = 0


class Conservation:
    """x̃ + Σxⁱ + Σ(differences under way) = Σ(steps) + Σ(leaks), in every coordinate.

    A worker has moved by its difference first, and the center by those of all that it was told,
    some of them late: until then they are under way. What a death takes away, and what comes back,
    are leaks; how a worker begins for the first time is none. In the Gauss-Seidel form there is
    nothing to conserve.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.lives: dict[str, Life] = {}
        self.owned: dict[str, Any] = {}
        self.center = ""
        self.given: dict[str, Tensor] = {}
        """What each worker has moved by and not told yet."""
        self.told: list[Told] = []
        """What it has told, and the center has not moved by yet."""
        self.lost: list[Told] = []
        """What was told by those who have died since: it may have come, or not."""
        self.moved: Tensor | float = 0.0
        """Σ(steps) + Σ(leaks), float64."""
        self.roundings, self.largest, self.most = ROUNDINGS, 1.0, 0
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See a center or a worker come."""
        if not isinstance(actor, Center | Worker) or isinstance(actor, easgd_gauss_seidel.Center):
            return
        self._bury(life.name)
        self.lives[life.name], self.owned[life.name] = life, actor
        if isinstance(actor, Center):
            self.center = life.name
        again = life.incarnation > 1
        self._move(self._seen(actor), f"{life.name} came back" if again else "")

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before a learner's work writes it."""
        if work in {"step", "apply"} and name in self.owned:
            self._x[name] = self._seen(self.owned[name])

    def after(self, name: str, work: str) -> None:
        """Book what has moved x: a step of its own, x̃ to begin at, or differences."""
        before = self._x.pop(name, None)
        if before is None or not self.center:
            return
        actor = self.owned[name]
        change = wide(actor.learner.x) - before
        self.roundings += 4
        if work == "step":
            self.moved = self.moved + change
        elif name == self.center:
            self._received(change)
        elif actor.begun or actor.learner.resumed:
            self.given[name] = -change
        else:
            self._move(change, f"{name} began at x̃" if self.lives[name].incarnation > 1 else "")

    def answered(self, call: Call, answer: Any) -> None:
        """Note what a worker has told the center; a center that has died never hears it."""
        name = call.target.name
        if call.method != "step" or not isinstance(answer, Tensor) or name not in self.given:
            return
        d = self.given.pop(name)
        if self.lives.get(self.center) == call.source and self.center in self.view.actors:
            self.told.append(Told(name, d))
        else:
            self._move(-d, f"{self.center} died before it was told by {name}")

    def check(self) -> str:
        """Compare both sides."""
        self._bury_the_dead()
        there = [self._seen(actor) for actor in self.owned.values()]
        if not there or not self.center:
            return ""
        under_way = [*self.given.values(), *[each.d for each in self.told + self.lost]]
        wrong = float((torch.stack([*there, *under_way]).sum(0) - self.moved).abs().max())
        self.most = max(self.most, len(there))
        epsilon = max(torch.finfo(actor.learner.x.dtype).eps for actor in self.owned.values())
        if wrong <= self.roundings * epsilon * self.most * self.largest:
            return ""
        return f"x̃ + Σx + differences under way is off Σ steps + leaks by {wrong:.3g}"

    def _received(self, change: Tensor) -> None:
        """See the center move by what was told: not all of who is away, or has died, has come."""
        self._bury_the_dead()
        away = {repr(ref) for ref in self.owned[self.center].patience.away}
        unsure = [each for each in self.told if f"<Ref {each.name}>" in away]
        sure = [each for each in self.told if f"<Ref {each.name}>" not in away]
        left, known = change - sum(each.d for each in sure), [*unsure, *self.lost][:UNSURE]
        subsets = [which for k in range(len(known) + 1) for which in combinations(known, k)]
        came = min(subsets, key=lambda which: float((left - sum(t.d for t in which)).norm()))
        there = {id(each) for each in came}
        self.told = [each for each in unsure if id(each) not in there]
        lost = [each for each in self.lost if id(each) not in there]
        for each in (each for each in lost if each.without + 1 >= PATIENCE):
            self._move(-each.d, f"{each.name} died before its difference came")
        self.lost = [e._replace(without=e.without + 1) for e in lost if e.without + 1 < PATIENCE]

    def _bury_the_dead(self) -> None:
        for name in [name for name in self.owned if name not in self.view.actors]:
            self._bury(name)

    def _bury(self, name: str) -> None:
        """See an actor gone, with its variable and what was on its way from it, or to it."""
        actor = self.owned.pop(name, None)
        if actor is None:
            return
        self._x.pop(name, None)
        self._move(-wide(actor.learner.x), f"{name} died")
        if name in self.given:
            self._move(-self.given.pop(name), f"{name} died before its difference came")
        self.lost += [each for each in self.told if each.name == name]
        self.told = [each for each in self.told if each.name != name]
        if name == self.center:
            for each in self.told + self.lost:
                self._move(-each.d, f"{name} died before it moved by that of {each.name}")
            self.told, self.lost = [], []

    def _move(self, change: Tensor, leak: str) -> None:
        self.moved = self.moved + change
        if leak and bool(change.any()):
            self.view.leak(leak, float(change.norm()))

    def _seen(self, actor: Center | Worker) -> Tensor:
        """Return a copy in float64, after a look at how large its numbers are."""
        copy = wide(actor.learner.x)
        self.largest = max(self.largest, float(copy.abs().max()))
        return copy


INVARIANTS = (Conservation,)
