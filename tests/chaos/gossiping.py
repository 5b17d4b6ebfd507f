"""Peers of GoSGD that keep account of what they give to one that is to die, and get from it."""

from __future__ import annotations

from typing import Any

from tether.actors import ActorGone, Group, oneway
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


class Mortal(Peer):
    """One of several peers, who go on until the doomed one has died, and for so many steps more.

    They add up the weights that they have given to it, and got from it.
    """

    def __init__(
        self, peers: Group[Peer], learner: Learner, M: int, p: float, steps: int, index: int,
        doomed: int,
    ) -> None:  # fmt: skip
        super().__init__(peers, learner, M, p, steps)
        self.more, self.died = steps, False
        self.t = LATE if index == doomed else 0
        self.since, self.gave, self.got = 0, 0.0, 0.0
        give, choice = self.own.give, Chooser(f"<Ref peer/{doomed}>")
        self.choice = choice

        async def noted(a: float, t: int, push: Push) -> None:
            given = self.own.given
            await give(a, t, push)
            self.gave += a * (choice.last and self.own.given > given)

        self.own.give = noted  # type: ignore[method-assign]

    async def run(self) -> None:
        while not self.died:
            self.steps = self.t + 1
            await super().run()
        self.since, self.steps = self.t, self.t + self.more
        await super().run()

    async def down(self, peer: Any, why: Exception) -> None:
        self.died |= isinstance(why, ActorGone)

    @oneway
    async def push(self, x: Any, a: float, t: int) -> None:
        self.got += a * (t >= LATE)
        await super().push(x, a, t)

    state_dict, load_state_dict = kept(
        "t", "own", "rate", "choice", "learner", "since", "gave", "got"
    )


class Chooser(Random):
    """Remembers whether it has drawn one of them."""

    def __init__(self, doomed: str) -> None:
        super().__init__()
        self.doomed, self.last = doomed, False

    def one(self, peers: Group[Any]) -> Any:
        drawn = super().one(peers)
        self.last = repr(drawn) == self.doomed
        return drawn
