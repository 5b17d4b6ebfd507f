"""A member's side of a round: the consensus it left, its difference, and the consensus to come."""

from __future__ import annotations

from asyncio import Event
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from tether.actors import Ref, buffer, within
from tether.protocols.keeping import fill, kept, part
from tether.protocols.learner import Learner
from tether.protocols.overlap import Waiting
from tether.protocols.patience import bounded
from tether.protocols.rounds import Averaging, Member, News, Told
from tether.protocols.schedule import rate


class Share:
    """A member's side: the consensus it left, and the one that comes, for one part of x."""

    def __init__(
        self,
        averaging: Ref[Averaging],
        me: Ref[Member],
        like: Tensor,
        patience: float,
        waiting: Waiting | None = None,
    ) -> None:
        self.averaging, self.me, self.patience = averaging, me, bounded(patience)
        self.c, self._next = like.detach().clone(), like.detach().clone()
        self.D = buffer(tuple(like.shape), like.dtype).to(like.device)
        self.base = self.due = 0
        self.counts = True
        """Whether what was handed over last counts, or came too late to."""
        self.waiting = waiting or Waiting()
        self.beside: Tensor | None = None
        self._news = News(0, 0, 0)
        self._arrived = Event()
        self._handed: tuple[Told, Tensor | None] | None = None

    async def join(self) -> Tensor:
        """Take the consensus as it is, with its step; return it."""
        self.base, self.due, c = await self.averaging.join()
        self._news = News(0, self.base, self.due)
        return self.c.copy_(c)

    def difference(self, w: Tensor) -> Tensor:
        """Write D = c − w, of this part."""
        return torch.sub(self.c, w, out=self.D)

    def told(self, learner: Learner, t: int, *, last: bool = False) -> Told:
        """Return what is said of a learner that has reached a step."""
        return Told(self.base, t, float(learner.loss), rate(learner), last=last)

    async def hand(self, told: Told, beside: Tensor | None = None) -> None:
        """Hand D over."""
        self._handed = told, beside
        self._arrived.clear()
        self.counts = await self._send(told, beside)

    @property
    def arrived(self) -> bool:
        """Whether a consensus is there that follows the one left."""
        return self._news.t > self.base

    async def again(self) -> None:
        """Hand over once more what waits, which ends its round without those who are away."""
        if self._handed is not None:
            await self.hand(*self._handed)

    async def taken(self) -> Tensor:
        """Wait for the consensus that follows, and take it; ask again whenever patience ends."""
        while not self.arrived:
            with suppress(TimeoutError):
                async with within(self.patience):
                    await self.waiting.on(self._arrived.wait())
            if not self.arrived:
                await self.again()
        return self.take()

    def take(self) -> Tensor:
        """Go on from the consensus that has come; return it."""
        self._handed = None
        self.c, self._next = self._next, self.c
        _, self.base, self.due = self._news
        return self.c

    def put(self, news: News, c: Tensor, beside: Tensor | None) -> None:
        """Put a consensus aside."""
        if news.t > self._news.t:
            self._news, self.beside = news, None if beside is None else beside.clone()
            self._next.copy_(c)
            self._arrived.set()

    async def _send(self, told: Told, beside: Tensor | None) -> bool:
        return await self.averaging.hand(self.me, told, self.D, beside)

    state_dict, load_state_dict = kept("c", "base", "due")

    def under_way(self) -> dict[str, Any]:
        """Return what a checkpoint keeps beside, where steps go on until the consensus comes."""
        told = None if self._handed is None else [*self._handed[0]]
        return {"D": self.D, "told": told, "next": self._next, "news": [*self._news]}

    def load_under_way(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        fill("D", self.D, part(state, "D"))
        fill("next", self._next, part(state, "next"))
        told = part(state, "told")
        self._handed = None if told is None else (Told(*told), None)
        self._news = News(*part(state, "news"))
