"""What DOWNPOUR conserves: what a worker steps comes to x̃, once, or is a leak."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tether.protocols.downpour import Center, Worker
from tether.protocols.easgd_invariants import wide
from tether.protocols.invariant import Call, Life, View

ROUNDINGS = 16
"""Roundings that are let pass beside four a push, in units of the largest number."""


class Conservation:
    """x̃ = what it began as + Σ(steps) − Σvⁱ + Σ(leaks), in every coordinate.

    vⁱ, what a worker has stepped and not pushed, comes to x̃ in the moment a push of it is answered.
    Leaks are a vⁱ that is lost, as its worker died or began anew; one that comes to x̃ from who has
    died; and what x̃ is after the center's death. Where no worker learns more, x̃ is the sum of all
    pushes. Roundings grow with the pushes, and with the largest number so far.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.center: tuple[str, Center] | None = None
        self.workers: dict[str, tuple[Life, Worker]] = {}
        self.v: dict[Life, Tensor] = {}
        """vⁱ of each life in float64; of one that ended, what may be on its way."""
        self.wanted: Tensor | None = None
        """What x̃ has to be."""
        self.pushes = 0
        self.largest = 1.0
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See a center or a worker come."""
        if isinstance(actor, Center):
            x = wide(actor.x)
            if self.wanted is not None:
                self._leak(f"{life.name} came back", x - self.wanted)
            self.center, self.wanted = (life.name, actor), x
        elif isinstance(actor, Worker):
            self._end(life.name)
            self.workers[life.name] = life, actor
            stepped = wide(actor.learner.x) - wide(actor.start)
            self.v[life] = stepped if actor.learner.resumed else torch.zeros_like(stepped)

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before a step."""
        if work == "step" and name in self.workers:
            self._x[name] = wide(self.workers[name][1].learner.x)

    def after(self, name: str, work: str) -> None:
        """Add a step to v; where x is written otherwise, a v that was not pushed is lost."""
        if name not in self.workers:
            return
        life, worker = self.workers[name]
        if work == "step":
            self.v[life] += wide(worker.learner.x) - self._x.pop(name)
        elif work == "apply":
            self._leak(f"{name} began anew at x̃", self.v[life])
            self.v[life].zero_()

    def answered(self, call: Call, answer: Any) -> None:
        """See that x̃ has taken in a v."""
        if call.method != "push" or not isinstance(answer, int) or call.source not in self.v:
            return
        self._bury()
        v, self.v[call.source] = self.v[call.source], torch.zeros_like(self.v[call.source])
        self.pushes += 1
        if self.wanted is not None:
            self.wanted = self.wanted + v
        if not self._lives(call.source):
            self._leak(f"{call.source.name} died, and its v came", v)

    def check(self) -> str:
        """Compare x̃ with what it has to be."""
        self._bury()
        if self.center is None or self.wanted is None or self.center[0] not in self.view.actors:
            return ""
        x = self.center[1].x
        self.largest = max(self.largest, float(x.abs().max()), float(self.wanted.abs().max()))
        wrong = float((wide(x) - self.wanted).abs().max())
        room = (ROUNDINGS + 4 * self.pushes) * torch.finfo(x.dtype).eps * self.largest
        return "" if wrong <= room else f"x̃ is off its beginning + Σ v + leaks by {wrong:.3g}"

    def _lives(self, life: Life) -> bool:
        known = self.workers.get(life.name)
        return known is not None and known[0] == life and life.name in self.view.actors

    def _bury(self) -> None:
        """See who has died, with the v it had."""
        for name in [name for name in self.workers if name not in self.view.actors]:
            self._end(name)

    def _end(self, name: str) -> None:
        if name in self.workers:
            life, _ = self.workers.pop(name)
            self._x.pop(name, None)
            self._leak(f"{name} died", self.v[life])

    def _leak(self, why: str, change: Tensor) -> None:
        if bool(change.any()):
            self.view.leak(why, float(change.norm()))


INVARIANTS = (Conservation,)
