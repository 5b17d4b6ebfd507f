"""Who holds a consensus c, and moves it once a round by the mean difference of all who left it.

D = Σₖ nₖ(c − wᵏ) / Σₖ nₖ,  c ← outer(c, D): one result is sent to all, so all have the same bits.
"""

from __future__ import annotations

from math import nan
from typing import Any

from torch import Tensor

from tether.actors import Group, Ref, report
from tether.protocols.keeping import kept
from tether.protocols.outer import Outer
from tether.protocols.rounds import Hands, Member, News, Round, Told
from tether.protocols.schedule import Progress, Schedule, scheduled

STATE = ("c", "t", "due", "rounds", "H", "outer", "counted")
"""What of an aggregator outlives it."""


class Aggregator:
    """Averages the differences of a group; c is a flat vector, or the part of one with a number.

    A round lasts H steps, and ends when all have come. Who waits for longer than his patience asks
    again: then it ends without those who are away, who are told by `absent`. What they hand over
    later is dropped and counted, they are told so, and they go on from c.
    """

    def __init__(
        self,
        c: Tensor,
        workers: Group[Member],
        H: int | Schedule,
        outer: Outer | None = None,
        part: int = 0,
    ) -> None:
        self.c, self.workers, self.part = c.detach().clone(), workers, part
        self.H, self.outer, self.hands = scheduled(H), outer or Outer(), Hands()
        self.t, self.rounds = 0, 0
        self.due = self.H(Progress(0, nan, nan))
        self.missing: list[Any] = []

    async def pull(self) -> Tensor:
        """Return c."""
        return self.c

    async def join(self) -> tuple[int, int, Tensor]:
        """Return the step of c, when the next one is due, and c."""
        return self.t, self.due, self.c

    async def absent(self) -> list[Ref[Member]]:
        """Return who was missing in the last round."""
        return self.missing

    async def hand(self, member: Ref[Member], told: Told, D: Tensor, beside: Tensor | None) -> bool:
        """Put D = c − w aside; the last one's, or one that comes again, ends the round.

        `beside` is averaged with it. Returns whether D counts: one that is late does not, unless it
        comes again and has been counted. Raises ValueError before anything has changed if a number
        is NaN or infinite, or D not like c.
        """
        if told.base < self.t:
            counts = self.hands.counted.get(member) == told.base
            self.hands.late += not counts
            await self._tell([member], None)
            return counts
        again = self.hands.put(member, told, D, beside, self.c)
        if again or self.hands.complete(self.workers):
            await self._end(self.hands.take(self.workers))
        return True

    async def _end(self, done: Round) -> None:
        """Move c by the mean of a round, and tell all who were there."""
        self._moved(done)
        await self._tell(done.there, done.beside)

    def _moved(self, done: Round) -> None:
        self.outer.step(self.c, done.D)
        self.t, self.missing, self.rounds = done.told.t, done.missing, self.rounds + 1
        self.due = self.t + self.H(Progress(self.t, done.told.loss, done.told.eta))
        seen = {"rounds": self.rounds, "missing": len(done.missing), "late": self.hands.late}
        report(step=self.t, loss=done.told.loss, **seen)

    async def _tell(self, members: list[Any], beside: Tensor | None) -> None:
        news = News(self.part, self.t, self.due)
        await Group(members).map(Member.adopt, news, self.c, beside)

    @property
    def counted(self) -> list[int]:
        """The step of the c that each of the workers was counted against last; −1 is none."""
        return [self.hands.counted.get(member, -1) for member in self.workers]

    @counted.setter
    def counted(self, bases: list[int]) -> None:
        self.hands.counted = dict(zip(self.workers, bases, strict=False))

    state_dict, load_state_dict = kept(*STATE)
