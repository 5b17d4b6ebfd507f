"""What gossip by sum-weights conserves: Σ a, and Σ a·x but for the steps."""

from __future__ import annotations

from math import fsum
from typing import Any

import torch
from torch import Tensor

from tether.protocols.invariant import Call, Life, View
from tether.protocols.sumweight import Weighed

ROUNDINGS = 16
"""Roundings that are let pass beside those of steps and merges, in units of the largest number."""
CERTAIN = 3
"""Looks in which a push of or to one who has died was not begun: then it counts as lost."""


class Conservation:
    """Σ a + Σ leaks is what all began with, and so is Σ a·x + Σ leaks − Σ a·(steps).

    Both sums are over all peers, what they have queued, and each push that was sent and has not
    begun. A leak is what a dead peer held, and each push that its death, or its receiver's, has
    lost. Those are still summed up, so that nothing depends on when a push is known to be lost.
    """

    kind: type[Any] = Weighed
    """Who holds weights."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.owned: dict[str, Any] = {}
        self.lives: dict[str, Life] = {}
        self.total = 0.0
        self.held: list[float] = []
        """The weights that the dead held."""
        self.moved: Tensor | float = 0.0
        """Σ a·x of all that began, + Σ a·(steps) − Σ leaks of the dead, float64."""
        self.lost: dict[tuple[Any, ...], int] = {}
        """Pushes of and to the dead, and in how many looks they were not begun."""
        self.roundings = ROUNDINGS
        self.largest = 1.0
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See a peer come; only one that begins with all others may bring a weight."""
        if not isinstance(actor, self.kind):
            return
        self._bury(life.name)
        self.lives[life.name], self.owned[life.name] = life, actor
        if life.incarnation == 1:
            self.total += fsum(a for a, _ in shares(actor))
            self._move(shares(actor), 1.0)

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before a step."""
        if work == "step" and name in self.owned:
            self._x[name] = wide(self.owned[name].own.x)

    def after(self, name: str, work: str) -> None:
        """Book a step of a weight; merges have to leave all as it is."""
        self.roundings += 4
        if work == "step" and name in self._x:
            peer, before = self.owned[name], self._x.pop(name)
            self._move([(peer.own.a, wide(peer.own.x) - before)], 1.0)

    def answered(self, call: Call, answer: Any) -> None:
        """A push has no answer."""

    def check(self) -> str:
        """Compare both sums with what they have to be."""
        for name in [name for name in self.owned if name not in self.view.actors]:
            self._bury(name)
        calls = [call for call in self.view.unbegun() if call.method == "push"]
        self._book(calls)
        there = [share for peer in self.owned.values() for share in shares(peer)]
        there += [(call.args[1], call.args[0].to("cpu", torch.float64)) for call in calls]
        return self._compare(there) if there else ""

    def _compare(self, there: list[tuple[float, Tensor]]) -> str:
        weights, x = [a for a, _ in there], torch.stack([x for _, x in there])
        self.largest = max(self.largest, float(x.abs().max()))
        off = fsum([*weights, *self.held, -self.total])
        room = self.roundings * torch.finfo(torch.float64).eps * self.total
        if not abs(off) <= room:
            return f"Σ a + leaks is off by {off:.3g} from the {self.total:g} that all began with"
        sums = torch.tensor(weights, dtype=torch.float64) @ x
        wrong = float((sums - self.moved).abs().max())
        if wrong <= self.roundings * self._epsilon() * self.largest * self.total:
            return ""
        return f"Σ a·x + leaks is off by {wrong:.3g} from Σ a·(steps) and what all began with"

    def _book(self, calls: list[Call]) -> None:
        """Enter pushes as lost that no living pair has still to hand over, and those that came."""
        there = {key: call for call in calls if self._over(call) and (key := named(call))}
        for key in [key for key in self.lost if key not in there]:
            if self.lost.pop(key) >= CERTAIN:
                self.view.leak(f"a push of {key[0].name} came after all", -key[-1])
        for key in there:
            self.lost[key] = self.lost.get(key, 0) + 1
            if self.lost[key] == CERTAIN:
                self.view.leak(f"a push of {key[0].name} to {key[1]} was lost", key[-1])

    def _over(self, call: Call) -> bool:
        """Whether one of the two lives between which a push was sent is over."""
        alive = (self.lives.get(call.source.name), self.lives.get(call.target.name))
        gone = {call.source.name, call.target.name} - self.owned.keys()
        return bool(gone) or alive[0] != call.source or alive[1] != call.target

    def _bury(self, name: str) -> None:
        """See a peer gone, with its weight and its queue."""
        peer = self.owned.pop(name, None)
        if peer is None:
            return
        self._x.pop(name, None)
        taken = shares(peer)
        self.held += [a for a, _ in taken]
        self._move(taken, -1.0)
        if lost := fsum(a for a, _ in taken):
            self.view.leak(f"{name} died", lost)

    def _move(self, what: list[tuple[float, Tensor]], sign: float) -> None:
        for a, x in what:
            self.moved = self.moved + sign * a * x

    def _epsilon(self) -> float:
        dtypes = {peer.own.x.dtype for peer in self.owned.values()} or {torch.float64}
        return max(torch.finfo(dtype).eps for dtype in dtypes)


def shares(peer: Any) -> list[tuple[float, Tensor]]:
    """Return the weights that a peer holds, each with its x: its own, then what is queued."""
    own = peer.own.a, wide(peer.own.x)
    return [own, *((a, wide(x)) for x, a, _ in peer.own.queue)]


def named(call: Call) -> tuple[Any, ...]:
    """Return what names a push: who sent it in which life, to whom, at which clock, its weight."""
    return call.source, call.target.name, call.args[2], call.args[1]


def wide(x: Tensor) -> Tensor:
    """Return a copy in float64, in which sums of float32 are exact enough."""
    return x.detach().to("cpu", torch.float64, copy=True)


INVARIANTS = (Conservation,)
