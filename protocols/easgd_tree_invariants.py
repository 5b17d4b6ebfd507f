"""What moves a node of a tree: its own steps, and states that its neighbours have had."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from tether.protocols.easgd_invariants import wide
from tether.protocols.easgd_tree import Node
from tether.protocols.invariant import Call, Life, View

ROUNDINGS = 64
"""Roundings that are let pass in a move, in units of the largest number."""


class Approaches:
    """x changes, but for steps, by  x ← x + α(y − x)  alone, with a y that a neighbour has had.

    Whoever begins takes the y of its parent as it is. Nothing is conserved; what is booked as a
    leak is how far a death, and the beginning after it, have moved a node.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.nodes: dict[str, tuple[Life, Node]] = {}
        self.had: defaultdict[str, list[Tensor]] = defaultdict(list)
        """All x that each node has had, in float64."""
        self.wrong = ""
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See a node come, or come back."""
        if not isinstance(actor, Node):
            return
        x, before = wide(actor.learner.x), self.nodes.get(life.name)
        if before is not None:
            self._leak(f"{life.name} came back", x - wide(before[1].learner.x))
        self.nodes[life.name] = life, actor
        self.had[life.name].append(x)

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before it is written."""
        if work in {"apply", "step"} and name in self.nodes:
            self._x[name] = wide(self.nodes[name][1].learner.x)

    def after(self, name: str, work: str) -> None:
        """See where it has gone."""
        before = self._x.pop(name, None)
        if before is None:
            return
        life, node = self.nodes[name]
        x = wide(node.learner.x)
        self.had[name].append(x)
        if work == "step" or torch.equal(x, before):
            return
        ys = [y for other in neighbours(node) for y in self.had[other]]
        if any(torch.equal(x, y) for y in ys) and life.incarnation > 1:
            self._leak(f"{name} began anew", x - before)
        elif not approached(before, x, ys, node.alpha, epsilon(node)):
            self.wrong = self.wrong or f"{name} moved towards what no neighbour of it has had"

    def answered(self, call: Call, answer: Any) -> None:
        """Let it be answered; what has been heard is seen when it is applied."""

    def check(self) -> str:
        """Return what went wrong; between two pieces of work nobody moves."""
        for name, (_, node) in self.nodes.items():
            if name in self.view.actors and not torch.equal(
                wide(node.learner.x), self.had[name][-1]
            ):
                self.wrong = self.wrong or f"{name} moved by itself"
        return self.wrong

    def _leak(self, why: str, what: Tensor) -> None:
        if bool(what.any()):
            self.view.leak(why, float(what.norm()))


def neighbours(node: Node) -> list[str]:
    """Return the names of all who may send a node their states."""
    refs = [*([node.parent] if node.parent else []), *node.children]
    return [repr(ref).removeprefix("<Ref ").removesuffix(">") for ref in refs]


def epsilon(actor: Any) -> float:
    """Return the spacing of an actor's numbers."""
    return torch.finfo(actor.learner.x.dtype).eps


def approached(before: Tensor, x: Tensor, ys: list[Tensor], alpha: float, epsilon: float) -> bool:
    """Return whether x is a y, or has gone the share α of the way to one."""
    if not ys:
        return False
    every = torch.stack(ys)
    room = ROUNDINGS * epsilon * max(1.0, float(every.abs().max()))
    moved = before + (every - before) * alpha
    off = torch.minimum((every - x).abs().amax(1), (moved - x).abs().amax(1))
    return bool(off.min() <= room)


INVARIANTS = (Approaches,)
