"""Where peers begin that have no center: all at the same x, or at that of who is there already."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tether.actors import ActorGone, Group
from tether.actors.context import acting
from tether.actors.restoring import together
from tether.protocols.choice import Random
from tether.protocols.learner import Learner, Learning
from tether.protocols.overlap import each, unless_gone

SHOWN = 12
"""Digits of a digest in an error."""


class Begun(NamedTuple):
    """Who has begun, and the digest of the x that it was made with."""

    name: str
    digest: str


class Beginning:
    """The beginning of an actor that averages its x with others', made in its constructor."""

    def __init__(self, learner: Learner) -> None:
        here = acting.get()
        self.learner = learner
        self.made = Begun("" if here is None else here.cell.name, digest(learner.x))
        self.joins = not together.get()
        """Whether it comes into a run that goes on: for the first time, or again."""
        self.waits = self.joins
        """Whether it came so and its `run()` has not begun: it never does if it had ended."""
        self.placed = False
        """Whether it has an x of the others'."""
        self.over = False

    async def begin(self, peers: Group[Any]) -> None:
        """Compare x with the peers', and take one of theirs if one joins; once, not if resumed.

        Who is gone for good is passed over. Raises ValueError when one of them was made with
        another x, or is oneself. Who comes back compares too: or else the one that all others tell
        of would begin anew without a word.
        """
        self.waits = False
        if self.over:
            return
        there = [] if self.learner.resumed else await self._alike(peers)
        while self.joins and there and not self.placed:
            j = Random().one(Group(there))
            there.remove(j)
            with suppress(ActorGone):  # then another one is asked
                await self.learner.begin(j.pull)
                self.placed = True
        self.learner.resumed, self.over = False, True

    async def _alike(self, peers: Group[Any]) -> list[Any]:
        """Return those that are there, all of whom began where one did oneself."""
        asked = list(peers)
        found = await each(asked, lambda peer: unless_gone(peer.begun()))
        check_alike(self.made, [begun for begun in found if begun])
        return [peer for peer, begun in zip(asked, found, strict=True) if begun]


class Beginner(Learning):
    """An actor with a learner that begins where its peers do: it says where that was."""

    beginning: Beginning

    async def begun(self) -> Begun:
        """Return its name, and the digest of the x that it was made with."""
        return self.beginning.made


def check_alike(mine: Begun, others: Sequence[Begun]) -> None:
    """Raise ValueError, naming both, if somebody else was made with another x, or is oneself."""
    me = mine.name or "this actor"
    for other in others:
        if mine.name and other.name == mine.name:
            raise ValueError(
                f"{me} is among its own peers, but only others are wanted; write "
                f'"@{me.partition("/")[0]}[others]"'
            )
        if other.digest != mine.digest:
            raise ValueError(
                f"{me} begins at another x than {other.name or 'its peer'} (digests "
                f"{mine.digest[:SHOWN]} and {other.digest[:SHOWN]}), but averages are of models "
                "that began alike; have the learner's factory make the network from one seed"
            )


def digest(x: Tensor) -> str:
    """Return the SHA-256 of a vector's dtype and bytes, on any device."""
    data = x.detach().cpu().contiguous().view(torch.uint8).numpy()
    return sha256(str(x.dtype).encode() + data.tobytes()).hexdigest()
