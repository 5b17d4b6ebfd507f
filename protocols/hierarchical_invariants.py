"""What hierarchical local SGD promises beside rounds: blocks end theirs every H steps, all H·Hᵇ."""

from __future__ import annotations

from math import nan
from typing import Any

from tether.protocols.aggregator import Aggregator
from tether.protocols.invariant import Call, Life, View
from tether.protocols.local_sgd import Worker
from tether.protocols.schedule import Progress


class Meetings:
    """Each round ends at a multiple of its own H, or where a worker has made all its steps."""

    def __init__(self, view: View) -> None:
        self.view, self.ends = view, set[int]()

    def made(self, life: Life, actor: Any) -> None:  # noqa: ARG002
        """Note where a worker ends."""
        if isinstance(actor, Worker):
            self.ends.add(actor.steps)

    def before(self, name: str, work: str) -> None:
        """Let it work."""

    def after(self, name: str, work: str) -> None:
        """Let it work."""

    def answered(self, call: Call, answer: Any) -> None:
        """Let it be answered."""

    def check(self) -> str:
        """Look at the step of each c there is."""
        for name, actor in self.view.actors.items():
            if isinstance(actor, Aggregator):
                H = actor.H(Progress(actor.t, nan, nan))
                if actor.t % H and actor.t not in self.ends:
                    return f"{name} ended a round at step {actor.t}, but its H is {H}"
        return ""


INVARIANTS = (Meetings,)
