"""Peers of GoSGD that keep account of what they give to one that is to die, and get from it."""

from __future__ import annotations

from typing import Any

from tether.actors import Group, oneway
from tether.protocols.choice import Random
from tether.protocols.gosgd import Peer
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner
from tether.protocols.quadratic import Quadratic
from tether.protocols.sumweight import Push

LATE = 1_000_000
"""The clock that the doomed one begins at, which tells its pushes from all others."""


def learner(seed: int) -> Learner:
    """Return the null learner of a few numbers."""
    return Quadratic(8, 0.01, 1.0, 0.5, optimum=0.0, start=1.0, seed=seed)


class Doomed(Peer):
    """A peer that is going to die."""

    def __init__(self, peers: Group[Peer], learner: Learner, M: int, p: float) -> None:
        super().__init__(peers, learner, M, p, steps=2 * LATE)
        self.t = LATE


class Survivor(Peer):
    """A peer that adds up the weights it has given to the doomed one, its last peer, and got."""

    def __init__(self, peers: Group[Peer], learner: Learner, M: int, p: float, steps: int) -> None:
        super().__init__(peers, learner, M, p, steps)
        self.gave = self.got = 0.0
        give, choice = self.own.give, Chooser()
        self.choice = choice

        async def noted(a: float, t: int, push: Push) -> None:
            given = self.own.given
            await give(a, t, push)
            self.gave += a * (choice.last and self.own.given > given)

        self.own.give = noted  # type: ignore[method-assign]

    @oneway
    async def push(self, x: Any, a: float, t: int) -> None:
        self.got += a * (t >= LATE)
        await super().push(x, a, t)

    state_dict, load_state_dict = kept("t", "own", "rate", "choice", "learner", "gave", "got")


class Chooser(Random):
    """Remembers whether it has drawn the last one."""

    last = False

    def one(self, peers: Group[Any]) -> Any:
        drawn = super().one(peers)
        self.last = drawn == peers[len(peers) - 1]
        return drawn
