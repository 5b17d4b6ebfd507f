"""EASGD in stars whose centers gossip, so that no center is everybody's.

Within a star Zhang, Choromanska & LeCun, NeurIPS 2015 (1412.6651), Algorithm 1; between the centers
Blot, Picard, Cord & Thome, 2016 (1611.09726), section 3. Centers make no gradient steps.
"""

from __future__ import annotations

from asyncio import Event

from torch import Tensor

from tether.actors import Group, oneway, report
from tether.protocols import easgd
from tether.protocols.choice import Random
from tether.protocols.keeping import kept
from tether.protocols.overlap import Waiting
from tether.protocols.sumweight import Plain, Weight, merge


class Center(easgd.Center):
    """A star's x̃ with a weight a: after an exchange it is pushed to another center now and then."""

    def __init__(self, peers: Group[Center], x: Tensor, alpha: float, M: int, p: float,
                 choice: Random | None = None) -> None:  # fmt: skip
        super().__init__(x, alpha)
        self.peers, self.p, self.choice, self.waiting = peers, p, choice or Random(), Waiting()
        self.own = Weight(1 / M, Plain(self.x), self.waiting)
        self.n, self.due = 0, Event()

    async def run(self) -> None:
        """Push (copy of x̃, a/2) whenever one is due; a service, for it never ends by itself."""
        while True:
            await self.due.wait()
            self.due.clear()
            await self.own.give(self.own.a / 2, self.n, self.choice.one(self.peers).push)
            seen = {"a": self.own.a, "pushed": self.own.given, "waited": self.waiting.seconds}
            report(step=self.n, **seen)

    async def exchange(self, x: Tensor) -> Tensor:
        """Make the exchange of EASGD; with probability p a push is due after it."""
        self.n += 1
        if len(self.peers) and self.choice.happens(self.p):
            self.due.set()
        return await super().exchange(x)

    @oneway
    async def push(self, x: Tensor, a: float, t: int) -> None:
        """Make x̃ ← (a_j x_j + a x̃)/(a_j + a), a ← a_j + a."""
        self.own.put(x, a, t)
        for x_j, a_j, _ in self.own.pop():
            merge(self.x, self.own.a, x_j, a_j)
            self.own.a += a_j

    state_dict, load_state_dict = kept("x", "n", "own", "choice")
