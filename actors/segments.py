"""Segments of shared memory, cut into slots: where transport memory lies between processes."""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from tether.actors import accelerator
from tether.actors.accelerator import Shared
from tether.actors.region import POSSIBLE, Region

if TYPE_CHECKING:
    from tether.actors.loans import Loans

SEGMENTS = 512
"""How many segments a process may have: each holds two file descriptors."""
SLOTS = 8
"""How many slots a segment may have."""
SEGMENT = 1 << 20
"""Bytes up to which several slots share a segment."""

log = logging.getLogger("tether")


class Plan(NamedTuple):
    """What others are told of a segment.

    Its number, its place on every board, into how many slots of which size it is cut, and of which
    GPU it is, if of any.
    """

    number: int
    place: int
    size: int
    slots: int
    gpu: str = ""

    def word(self, slot: int) -> int:
        """Return where on a board a slot is counted."""
        return self.place * SLOTS + slot


class Segment:
    """Shared memory of this process, and whom it was announced to."""

    __slots__ = ("known", "plan", "region", "retired")

    def __init__(self, region: Shared, plan: Plan) -> None:
        self.region = region
        self.plan = plan
        self.known: list[Loans] = []
        self.retired = False
        """Whether it is not used again, because nobody could tell when."""

    def forget(self) -> None:
        """Have all who know it told that it is not used any more."""
        for loans in self.known:
            loans.forget(self)
        self.known.clear()

    def pieces(self) -> list[Piece]:
        """Return its slots."""
        return [Piece(self, slot) for slot in range(self.plan.slots)]


class Piece:
    """One slot of a segment, and to whom it is lent."""

    __slots__ = ("address", "lent", "segment", "size", "slot")

    def __init__(self, segment: Segment, slot: int) -> None:
        self.segment = segment
        self.slot = slot
        self.size = segment.plan.size
        self.address = segment.region.address + slot * self.size
        self.lent: set[Loans] = set()

    @property
    def gpu(self) -> str:
        """The GPU that it lies on; empty for none."""
        return self.segment.plan.gpu

    @property
    def word(self) -> int:
        """Where on a board it is counted."""
        return self.segment.plan.word(self.slot)

    def unread(self) -> bool:
        """Tell whether all that it was lent to have let go of it."""
        if self.lent:
            self.lent = {loans for loans in self.lent if not loans.settled(self.word)}
        return not self.lent

    @property
    def lost(self) -> bool:
        """Whether it may never come back, for its way broke off."""
        return any(loans.severed for loans in self.lent)


class Segments:
    """Makes the segments of one process."""

    def __init__(self, most: int = SEGMENTS) -> None:
        self._places = list(range(most - 1, -1, -1))
        self._numbers = count(1)
        self._told: set[str] = set()

    @property
    def full(self) -> bool:
        """Whether there is no place for another."""
        return not self._places

    def make(self, size: int, gpu: str = "") -> list[Piece]:
        """Return the slots of a new segment, of a GPU or not; none when there can be none now."""
        if self.full or not POSSIBLE:
            return []
        slots = max(1, min(SLOTS, SEGMENT // size))
        try:
            region = _region(size * slots, gpu)
        except OSError as error:
            self._tell(size * slots, gpu, error)
            return []
        plan = Plan(next(self._numbers), self._places.pop(), size, slots, gpu)
        return Segment(region, plan).pieces()

    def retire(self, segment: Segment) -> None:
        """Let go of a segment: its memory is free when nobody, anywhere, looks at it any more."""
        segment.retired = True
        self._places.append(segment.plan.place)
        segment.forget()

    def _tell(self, nbytes: int, gpu: str, error: OSError) -> None:
        if gpu not in self._told:
            self._told.add(gpu)
            log.warning(
                "there is no shared memory of %d bytes%s (%s): tensors are copied through sockets",
                nbytes,
                f" on GPU {gpu}" if gpu else "",
                str(error),
            )


def _region(nbytes: int, gpu: str) -> Shared:
    return accelerator.here.create(gpu, nbytes) if gpu else Region.create(nbytes)
