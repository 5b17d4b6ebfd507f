"""What gossip conserves: the weights of all peers and of all that is under way are 1 together."""

from __future__ import annotations

from math import fsum
from typing import Any

from benchmarks.gossip import Peer
from tether.protocols.invariant import Call, Life, View


class Weight:
    """Σ aⁱ + Σ (weights under way) = 1; holds as long as nobody dies."""

    def __init__(self, view: View) -> None:
        self.view = view

    def made(self, life: Life, actor: Any) -> None:
        """A peer brings the weight that its wiring gives it."""

    def before(self, name: str, work: str) -> None:
        """No work changes a weight."""

    def after(self, name: str, work: str) -> None:
        """No work changes a weight."""

    def answered(self, call: Call, answer: Any) -> None:
        """A push has no answer."""

    def check(self) -> str:
        """Add up all weights."""
        weights = [actor.a for actor in self.view.actors.values() if isinstance(actor, Peer)]
        if not weights:
            return ""
        under_way = [call.args[1] for call in self.view.under_way() if call.method == "push"]
        total = fsum([*weights, *under_way])
        return "" if abs(total - 1) < 1e-9 else f"all weights together are {total!r}, not 1"


INVARIANTS = (Weight,)
