"""Fragments of x that are averaged each in its own round, while the local steps go on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tether.actors import Group, Ref
from tether.protocols.keeping import part
from tether.protocols.learner import Learner
from tether.protocols.overlap import Waiting
from tether.protocols.rounds import Averaging, Member, News
from tether.protocols.share import Share


def mixed(x: Tensor, c: Tensor, begin: int, alpha: float) -> None:
    """Make w ← αw + (1 − α)c for the piece w of a flat vector that begins there."""
    w = x[begin : begin + len(c)]
    torch.lerp(c, w, alpha, out=w)


class Fragments:
    """The shares of a worker in P fragments, as even as they can be (`torch.tensor_split`)."""

    def __init__(
        self,
        fragments: Group[Averaging],
        me: Ref[Member],
        learner: Learner,
        tau: int,
        alpha: float,
        patience: float,
    ) -> None:
        if tau < 0:
            raise ValueError(f"tau is {tau}, but a delay of 0 steps or more is wanted")
        if not 0 <= alpha < 1:
            raise ValueError(f"alpha is {alpha}, but a local part from 0 to below 1 is wanted")
        pieces = torch.tensor_split(learner.x, len(fragments))
        self.learner, self.tau, self.alpha, self.waiting = learner, tau, alpha, Waiting()
        self.each = [
            Share(f, me, piece, patience, self.waiting)
            for f, piece in zip(fragments, pieces, strict=True)
        ]
        self.under_way: dict[int, int] = {}
        """When the consensus of a fragment is to be taken, for each that was sent."""
        self._again: set[int] = set()

    @property
    def base(self) -> int:
        """The step of the newest consensus that was taken."""
        return max(share.base for share in self.each)

    async def join(self) -> Tensor:
        """Take the consensus as it is; nothing is under way any more."""
        self.under_way.clear()
        return torch.cat([await share.join() for share in self.each])

    async def send(self, t: int) -> None:
        """Hand over the differences of the fragments whose round is due at this step."""
        for p, (share, w) in enumerate(zip(self.each, self._pieces(), strict=True)):
            if t >= share.due and p not in self.under_way:
                await self.learner.compute(share.difference, w)
                self.under_way[p] = t + self.tau
                await share.hand(share.told(self.learner, t))

    async def take(self, t: int, *, last: bool) -> None:
        """Mix in the fragments that were sent τ steps ago, at the last step all that are sent."""
        begins = [0, *torch.tensor([len(share.c) for share in self.each]).cumsum(0).tolist()]
        for p in [p for p, due in self.under_way.items() if t >= due or last]:
            if p in self._again:
                self._again.remove(p)
                await self.each[p].again()
            c = await self.each[p].taken()
            await self.learner.apply(mixed, c, begins[p], self.alpha)
            del self.under_way[p]

    def put(self, news: News, c: Tensor, beside: Tensor | None) -> None:
        """Put the consensus of a fragment aside."""
        self.each[news.part].put(news, c, beside)

    def _pieces(self) -> tuple[Tensor, ...]:
        return torch.tensor_split(self.learner.x, len(self.each))

    def state_dict(self) -> dict[str, Any]:
        """Return all shares, with what is under way."""
        shares = [share.state_dict() | share.under_way() for share in self.each]
        return {"shares": shares, "under_way": [list(item) for item in self.under_way.items()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there: what was under way is asked for once more."""
        shares = part(state, "shares")
        if len(shares) != len(self.each):
            raise ValueError(
                f"shares: a checkpoint of {len(shares)} fragments came, but one of "
                f"{len(self.each)} is wanted"
            )
        for share, kept in zip(self.each, shares, strict=True):
            share.load_state_dict(kept)
            share.load_under_way(kept)
        self.under_way = dict(part(state, "under_way"))
        self._again = set(self.under_way)
