"""What local SGD promises: c moves by the mean of what was done, and all go on from the same c."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tether.protocols.aggregator import Aggregator
from tether.protocols.hierarchical import Block
from tether.protocols.invariant import Call, Life, View
from tether.protocols.local_sgd import Worker

ROUNDINGS = 64
"""Roundings that are let pass in a round, in units of the largest number so far."""


class Averages:
    """Each round moves c by 1/K Σ(steps of worker k since it took c), over those who were there.

    A worker takes nothing but a c that the aggregator has held, with the same bits. For plain
    averaging, where steps are all that moves a worker: no blocks above, no signs, no outer
    momentum. What leaks is booked by the invariant of all who average, `aggregator_invariants`.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.done: dict[Life, Tensor] = {}
        """Σ(steps) since c was taken, of each life of a worker."""
        self.lives: dict[str, Life] = {}
        self.handed: dict[str, Tensor] = {}
        self.held: set[bytes] = set()
        self.c: Tensor | None = None
        self.rounds = self.there = 0
        self.largest = 1.0
        self.wrong = ""
        self.plain = True
        """Whether all that averages here is what this is about."""
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See an aggregator or a worker come, or come back with what its checkpoint had."""
        if isinstance(actor, Aggregator):
            outer = actor.outer
            self.plain &= not isinstance(actor, Block) and (outer.lr, outer.mu) == (1.0, 0.0)
            self.handed.clear()
            self._see(actor)
        elif isinstance(actor, Worker):
            self.lives[life.name] = life
            self.done[life] = torch.zeros(len(actor.learner.x), dtype=torch.float64)

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before a learner's work writes it."""
        actor = self.view.actors.get(name)
        if work == "step" and isinstance(actor, Worker):
            self._x[name] = wide(actor.learner.x)

    def after(self, name: str, work: str) -> None:
        """Add a step up; see that what a worker goes on from has been a c."""
        actor = self.view.actors.get(name)
        if not isinstance(actor, Worker) or not self.plain:
            return
        life, x = self.lives[name], actor.learner.x
        if work == "step" and name in self._x:
            self.done[life] = self.done[life] + wide(x) - self._x.pop(name)
            self.largest = max(self.largest, float(x.abs().max()))
        elif work == "apply":
            self.done[life] = torch.zeros_like(self.done[life])
            if bits(x) not in self.held:
                self.wrong = self.wrong or f"{name} goes on from what no aggregator has held"

    def answered(self, call: Call, answer: Any) -> None:
        """Note what has been handed over, and compare when that has ended a round."""
        actor = self.view.actors.get(call.target.name)
        if call.method != "hand" or not isinstance(actor, Aggregator) or not self.plain:
            return
        name, done = call.source.name, self.done.get(call.source)
        if isinstance(answer, Exception) or done is None:
            return
        if actor.rounds != self.rounds or len(actor.hands.told) > self.there:
            self.handed[name] = done.clone()  # or it is late, or comes again
        if actor.rounds != self.rounds:
            self._compare(actor)
        self._see(actor)

    def check(self) -> str:
        """Return what went wrong; nobody but a round moves c."""
        for actor in self.view.actors.values() if self.plain else ():
            if not isinstance(actor, Aggregator) or actor.rounds != self.rounds:
                continue  # a round has just ended, and its last hand is being answered
            if bits(actor.c) not in self.held:
                return self.wrong or "c was moved, but not by a round"
        return self.wrong

    def _compare(self, actor: Aggregator) -> None:
        assert self.c is not None
        wanted = torch.stack(list(self.handed.values())).mean(0)
        off = float((wide(actor.c) - self.c - wanted).abs().max())
        room = ROUNDINGS * torch.finfo(actor.c.dtype).eps * self.largest
        if not off <= room:
            self.wrong = self.wrong or f"c is off the mean of what was handed over by {off:.3g}"
        self.handed.clear()

    def _see(self, actor: Aggregator) -> None:
        self.c, self.rounds, self.there = wide(actor.c), actor.rounds, len(actor.hands.told)
        self.held.add(bits(actor.c))


def wide(x: Tensor) -> Tensor:
    """Return a copy in float64."""
    return x.detach().to("cpu", torch.float64, copy=True)


def bits(x: Tensor) -> bytes:
    """Return the bits of a vector."""
    return x.detach().cpu().contiguous().numpy().tobytes()


INVARIANTS = (Averages,)
