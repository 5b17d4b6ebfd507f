"""Rounds of averaging: what those who left a consensus c hand over, and what they get back.

A round ends when all members of a group have come, or when one that waits asks a second time: so
nobody waits for ever for one who is away, and no timer runs where nobody waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import nan
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from tether.actors import Ref
from tether.protocols.elastic import check_finite
from tether.protocols.vector import check_like


class Told(NamedTuple):
    """Where a member stands when it hands its difference over."""

    base: int
    """The step at which it took c."""
    t: int
    """The step it has reached."""
    loss: float = nan
    eta: float = nan
    n: int = 1
    """How many workers its difference is the mean of."""
    last: bool = False


class News(NamedTuple):
    """A new consensus: of which part of x, of which step, and when the next one is due."""

    part: int
    t: int
    due: int


@runtime_checkable
class Member(Protocol):
    """Whoever hands differences over and takes the consensus: a worker, or a block of them."""

    async def adopt(self, news: News, c: Tensor, beside: Tensor | None) -> None:
        """Get a consensus, to be put aside until it can be taken."""
        ...


@runtime_checkable
class Averaging(Protocol):
    """Whoever holds a consensus."""

    async def join(self) -> tuple[int, int, Tensor]:
        """Return the step of c, when the next one is due, and c."""
        ...

    async def hand(self, member: Ref[Member], told: Told, D: Tensor, beside: Tensor | None) -> bool:
        """Get the difference of a member; return whether it counts, or is too late to."""
        ...


class Hands:
    """What has been handed over in this round, in memory that is used again and again."""

    def __init__(self) -> None:
        self.told: dict[Any, Told] = {}
        self.late = 0
        """How many came when their round had ended without them."""
        self.counted: dict[Any, int] = {}
        """The step at which each member took the c that it was counted against last."""
        self.kept: dict[tuple[Any, str], Tensor] = {}
        """Copies of what came last, by who it is of and what it is."""

    def put(self, member: Any, told: Told, D: Tensor, beside: Tensor | None, c: Tensor) -> bool:
        """Keep a copy; return whether this one has been here before in this round.

        Raises ValueError before anything is kept if a vector does not fit c or is not finite.
        """
        check_like("the difference c − w", D, c)
        check_finite("the difference c − w", D)
        if beside is not None:
            check_finite("what travels beside x", beside)
        again = member in self.told
        self.told[member] = told
        self._copy(member, "D", D)
        self._copy(member, "beside", beside)
        return again

    def complete(self, members: Iterable[Any]) -> bool:
        """Return whether all have come."""
        return all(member in self.told for member in members)

    def take(self, members: Iterable[Any]) -> Round:
        """End the round: return the means, summed in the order of the group, whoever came first."""
        members = list(members)
        there = [m for m in members if m in self.told]
        there += [m for m in self.told if m not in members]  # have left since
        told = [self.told[m] for m in there]
        share = [each.n for each in told]
        found = Round(
            there,
            [m for m in members if m not in self.told],
            Told(
                base=max(each.base for each in told),
                t=max(each.t for each in told),
                loss=sum(n * each.loss for n, each in zip(share, told, strict=True)) / sum(share),
                eta=max(each.eta for each in told),
                n=sum(share),
                last=any(each.last for each in told),
            ),
            mean([self.kept[m, "D"] for m in there], share),
            mean([self.kept[m, "beside"] for m in there], share)
            if all((m, "beside") in self.kept for m in there)
            else None,
        )
        self.counted |= {m: each.base for m, each in self.told.items()}
        self.told = {}
        return found

    def _copy(self, member: Any, what: str, came: Tensor | None) -> None:
        mine = self.kept.get((member, what))
        if came is None:
            self.kept.pop((member, what), None)
        elif mine is not None and mine.shape == came.shape:
            mine.copy_(came)
        else:
            self.kept[member, what] = came.detach().clone()


class Round(NamedTuple):
    """A round that has ended: who was there, who was not, and the means of what came."""

    there: list[Any]
    missing: list[Any]
    told: Told
    D: Tensor
    beside: Tensor | None


def mean(vectors: list[Tensor], shares: list[int]) -> Tensor:
    """Return Σ nₖvₖ / Σ nₖ of flat vectors, summed from the first to the last."""
    total = vectors[0] * shares[0]
    for vector, n in zip(vectors[1:], shares[1:], strict=True):
        check_like("a vector to be averaged", vector, total)
        total.add_(vector, alpha=n)
    return total.div_(sum(shares))
