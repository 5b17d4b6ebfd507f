"""What AD-PSGD conserves: only gradients move the sum of all x."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tether.protocols.adpsgd import Peer
from tether.protocols.invariant import Call, Life, View

ROUNDINGS = 16
"""Roundings that are let pass beside those of all work, in units of the largest number."""


class Conservation:
    """Σ xⁱ − Σ(differences under way) = Σ(steps) + Σ(leaks), in every coordinate.

    A meeting moves the x of who is met first; the difference is under way until it is taken from
    its sender's x. What a death takes away, and where a peer begins that comes back, are leaks.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.owned: dict[str, Peer] = {}
        self.lives: dict[str, Life] = {}
        self.moved: Tensor | float = 0.0
        """Σ(steps) + Σ(leaks), float64."""
        self.fresh: dict[str, Tensor] = {}
        """By whom was met: the difference that is not yet answered."""
        self.under_way: dict[str, Tensor] = {}
        """By who has met: the difference that it has still to take from its x."""
        self.roundings = ROUNDINGS
        self.largest = 1.0
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See a peer come, the first time or again."""
        if not isinstance(actor, Peer):
            return
        self._bury(life.name)
        self.lives[life.name], self.owned[life.name] = life, actor
        self._move(wide(actor.learner.x), f"{life.name} came back" * (life.incarnation > 1))

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before it is written."""
        if work in {"step", "apply"} and name in self.owned:
            self._x[name] = wide(self.owned[name].learner.x)

    def after(self, name: str, work: str) -> None:
        """Book a step; of what else moves x tell a difference taken from one it was met by."""
        before = self._x.pop(name, None)
        if before is None:
            return
        self.roundings += 4
        peer = self.owned[name]
        after = wide(peer.learner.x)
        change, self.largest = after - before, max(self.largest, float(after.abs().max()))
        if work == "step":
            self._move(change)
        elif self._is(change, -self.under_way.get(name, torch.full_like(change, torch.inf))):
            del self.under_way[name]
        elif peer.beginning.joins and not peer.beginning.over:
            self._move(change, f"{name} began at a peer's x")
        else:
            self.fresh[name] = change

    def answered(self, call: Call, answer: Any) -> None:
        """Note a difference that is under way now; to one who has died it never comes."""
        if call.method != "average" or not isinstance(answer, Tensor):
            return
        met = self.fresh.pop(call.target.name, None)
        if met is None and call.target.name in self.owned:
            # Two that meet each other at once move by the same numbers: what was taken for its own
            # difference was this one.
            self.under_way[call.target.name] = -wide(answer)
        source = call.source.name
        if self.lives.get(source) == call.source and source in self.view.actors:
            if source in self.under_way:  # who had answered it died before that arrived
                self._move(self.under_way.pop(source), f"{source} never got its difference")
            self.under_way[source] = wide(answer)
        else:
            self._move(wide(answer), f"{source} died before its difference came")

    def check(self) -> str:
        """Compare both sides."""
        for name in [name for name in self.owned if name not in self.view.actors]:
            self._bury(name)
        there = [wide(peer.learner.x) for peer in self.owned.values()]
        if not there:
            return ""
        there += [-d for d in (*self.fresh.values(), *self.under_way.values())]
        wrong = float((torch.stack(there).sum(0) - self.moved).abs().max())
        if wrong <= self.roundings * self._epsilon() * self.largest * len(there):
            return ""
        return f"Σx − differences under way is off Σ steps + leaks by {wrong:.3g}"

    def _bury(self, name: str) -> None:
        """See a peer gone, with its x, what it had met with and what it was to be met with."""
        peer = self.owned.pop(name, None)
        if peer is None:
            return
        self._x.pop(name, None)
        gone = -wide(peer.learner.x)
        for d in (self.fresh.pop(name, None), self.under_way.pop(name, None)):
            gone = gone if d is None else gone + d
        self._move(gone, f"{name} died")

    def _move(self, change: Tensor, leak: str = "") -> None:
        self.moved = self.moved + change
        if leak and bool(change.any()):
            self.view.leak(leak, float(change.norm()))

    def _is(self, change: Tensor, wanted: Tensor) -> bool:
        return float((change - wanted).abs().max()) <= 4 * self._epsilon() * self.largest

    def _epsilon(self) -> float:
        return max(torch.finfo(peer.learner.x.dtype).eps for peer in self.owned.values())


def wide(x: Tensor) -> Tensor:
    """Return a copy in float64, in which sums of float32 are exact enough."""
    return x.detach().to("cpu", torch.float64, copy=True)


INVARIANTS = (Conservation,)
