"""What MDOWNPOUR conserves: each gradient that is pushed moves the center once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tether.protocols.easgd_invariants import wide
from tether.protocols.invariant import Call, Life, View
from tether.protocols.mdownpour import Center, Worker

ROUNDINGS = 16
"""Roundings that are let pass beside four a push, in units of the largest number."""


class Conservation:
    """(1 − δ)x̃ + δ²v = what it began as − η Σ g + Σ(leaks), over all gradients that were pushed.

    It follows from  v ← δv − ηg,  x̃ ← x̃ − ηg + δv.  Leaks are what the center has forgotten when it
    comes back, and an ηg that its worker's death has kept from it.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.center: tuple[str, Center] | None = None
        self.wanted: Tensor | None = None
        self.workers: dict[str, tuple[Life, Worker]] = {}
        self.g: dict[Life, Tensor] = {}
        """What each life has measured, and not pushed yet, in float64."""
        self.pushes, self.largest = 0, 1.0

    def made(self, life: Life, actor: Any) -> None:
        """See a center or a worker come."""
        if isinstance(actor, Center):
            if self.wanted is not None:
                self._leak(f"{life.name} came back", conserved(actor) - self.wanted)
            self.center, self.wanted = (life.name, actor), conserved(actor)
        elif isinstance(actor, Worker):
            if life.name in self.workers and self.center is not None:
                lost = self.g.get(self.workers[life.name][0])
                if lost is not None:
                    self._leak(f"{life.name} died with a gradient", lost * self.center[1].eta)
            self.workers[life.name] = life, actor

    def before(self, name: str, work: str) -> None:
        """Let it work."""

    def after(self, name: str, work: str) -> None:
        """Note a gradient."""
        if work == "gradient" and name in self.workers:
            life, worker = self.workers[name]
            each = [
                p.grad.flatten() for p in worker.learner.model.parameters() if p.grad is not None
            ]
            self.g[life] = wide(torch.cat(each))

    def answered(self, call: Call, answer: Any) -> None:
        """See a gradient pushed."""
        if call.method == "push" and isinstance(answer, int) and self.center is not None:
            g = self.g.pop(call.source, None)
            if g is not None and self.wanted is not None:
                self.wanted, self.pushes = self.wanted - self.center[1].eta * g, self.pushes + 1

    def check(self) -> str:
        """Compare both sides."""
        if self.center is None or self.wanted is None or self.center[0] not in self.view.actors:
            return ""
        x = self.center[1].x
        self.largest = max(self.largest, float(x.abs().max()))
        wrong = float((conserved(self.center[1]) - self.wanted).abs().max())
        room = (ROUNDINGS + 4 * self.pushes) * torch.finfo(x.dtype).eps * self.largest
        return "" if wrong <= room else f"x̃ and v are off their beginning − ηΣg by {wrong:.3g}"

    def _leak(self, why: str, change: Tensor) -> None:
        if bool(change.any()):
            self.view.leak(why, float(change.norm()))


def conserved(center: Center) -> Tensor:
    """Return (1 − δ)x̃ + δ²v in float64."""
    return wide(center.x) * (1 - center.delta) + wide(center.v) * center.delta**2


INVARIANTS = (Conservation,)
