"""Hierarchical local SGD: blocks of workers average every H steps, and all of them every H·Hᵇ.

Lin, Stich, Patel & Jaggi, "Don't Use Large Mini-Batches, Use Local SGD", ICLR 2020 (1808.07217).
A block is an aggregator to its workers, and a worker to the one above it, whose H is the H·Hᵇ here.
"""

from torch import Tensor

from tether.actors import Group, Ref, oneway
from tether.protocols.aggregator import STATE, Aggregator
from tether.protocols.keeping import kept
from tether.protocols.rounds import Averaging, Member, News, Round, Told
from tether.protocols.schedule import Schedule
from tether.protocols.share import Share


class Block(Aggregator):
    """Averages its workers; hands their mean over when a round of all is due, or the run ends."""

    def __init__(
        self, above: Ref[Averaging], me: Ref[Member], c: Tensor, workers: Group[Member],
        H: int | Schedule,
    ) -> None:  # fmt: skip
        super().__init__(c, workers, H)
        self.share, self.begun = Share(above, me, self.c, 1.0), False
        self.waits: Round | None = None

    async def join(self) -> tuple[int, int, Tensor]:
        """Return the step of c, when the next one is due, and c; the first time, that of all."""
        if not self.begun:
            self.c.copy_(await self.share.join())
            self.t, self.due, self.begun = self.share.base, self.share.base + self.due, True
        return await super().join()

    async def hand(self, member: Ref[Member], told: Told, D: Tensor, beside: Tensor | None) -> bool:
        """Put a difference aside; who asks again while all wait for others is heard above."""
        if self.waits is not None and member in self.waits.there:
            await self.share.again()
            return True
        return await super().hand(member, told, D, beside)

    async def _end(self, done: Round) -> None:
        self._moved(done)  # every H steps: c ← the mean of this block
        if self.t < self.share.due and not done.told.last:
            return await self._tell(done.there, done.beside)
        self.waits = done
        self.share.difference(self.c)
        return await self.share.hand(done.told._replace(base=self.share.base), done.beside)

    @oneway(keep="latest")
    async def adopt(self, news: News, c: Tensor, beside: Tensor | None) -> None:
        """Go on from the mean of all blocks, and tell those who wait for it."""
        self.share.put(news, c, beside)
        if self.waits is not None and self.share.arrived:
            waited, self.waits = self.waits, None
            self.c.copy_(self.share.take())  # every H·Hᵇ steps: c ← the mean of all
            self.t, self.due = news.t, news.t + self.due - self.t
            await self._tell(waited.there, beside)

    state_dict, load_state_dict = kept(*STATE, "share", "begun")
