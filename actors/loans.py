"""What one process lends to another of its host, and what it has got back."""

from __future__ import annotations

import logging
from collections import Counter
from typing import NamedTuple

from tether.actors.accelerator import Shared
from tether.actors.region import Region
from tether.actors.segments import SEGMENTS, SLOTS, Piece, Plan, Segment

BOARD = SEGMENTS * SLOTS * 8
"""Bytes of a board: a count of 64 bits for each slot."""

ALL_REFUSED = b"\x15"
"""What comes back before a connection is closed because the memory passed could not be taken."""
GPU_REFUSED = b"\x16"
"""What comes back if that is so of a GPU's memory only: another GPU is seen there, or none."""
TRIES = 3
"""Connections in a row that ended before anything came back, after which nothing is lent."""
NO_WORDS = memoryview(b"").cast("Q")

log = logging.getLogger("tether")


class News(NamedTuple):
    """What a reader has to know: segments that are new, and those that are gone.

    `regions` is the memory that is passed with it, the board first if it is the first time.
    """

    board: bool
    plans: list[Plan]
    gone: list[int]
    regions: list[Shared]


class Loans:
    """The loans over one connection: each time a frame speaks of a slot is one.

    Two counts for each slot, each with one writer: how often it was lent is counted here, and on a
    board that both see, by who reads it, how often it came back. Where they are equal nobody reads.
    """

    def __init__(self, board: Region, *, gpus: bool = True) -> None:
        self.gpus = gpus
        """Whether a GPU's memory may be lent, too."""
        self.used = False
        """Whether anything was lent since this was last cleared."""
        self.severed = False
        """Whether the connection broke: some of what was lent may never have come over."""
        self._board: Region | None = board
        self._back = board.words()
        self._lent: Counter[int] = Counter()
        self._announced: dict[int, Segment] = {}
        self._fresh: list[Segment] = []
        self._gone: list[int] = []
        self._met = False

    def lend(self, piece: Piece) -> tuple[int, int]:
        """Count one more reading of a slot; return the numbers of its segment and of itself."""
        segment = piece.segment
        number = segment.plan.number
        if number not in self._announced:
            self._announced[number] = segment
            self._fresh.append(segment)
            segment.known.append(self)
        self._lent[piece.word] += 1
        piece.lent.add(self)
        self.used = True
        return number, piece.slot

    def settled(self, word: int) -> bool:
        """Tell whether a slot came back as often as it was lent."""
        return self._board is None or self._back[word] == self._lent[word]

    @property
    def idle(self) -> bool:
        """Whether all that was lent came back."""
        return all(map(self.settled, self._lent))

    @property
    def fruitful(self) -> bool:
        """Whether anything ever came back."""
        return any(self._back)

    def forget(self, segment: Segment) -> None:
        """Have the reader told that a segment is not used any more."""
        del self._announced[segment.plan.number]
        if segment in self._fresh:
            self._fresh.remove(segment)
        else:
            self._gone.append(segment.plan.number)

    def end(self) -> None:
        """Take all for returned, and let go of the board."""
        self._board = None
        self._back = NO_WORDS
        for segment in self._announced.values():
            segment.known.remove(self)
        self._announced.clear()
        self._fresh.clear()

    def news(self) -> News | None:
        """Return what the reader has to know before the next frame, if there is anything."""
        if not self._fresh and not self._gone:
            return None
        fresh, self._fresh = self._fresh, []
        gone, self._gone = self._gone, []
        board: list[Shared] = [] if self._met or self._board is None else [self._board]
        self._met = True
        regions = [*board, *(segment.region for segment in fresh)]
        return News(bool(board), [segment.plan for segment in fresh], gone, regions)


class Lending:
    """What is lent to one process, over one connection after the other."""

    def __init__(self) -> None:
        self.current: Loans | None = None
        """The loans over the connection there is, or is to be, once anything was lent."""
        self._before: list[Loans] = []
        self._refused = False
        self._gpus = True
        self._fruitless = 0

    def loans(self) -> Loans | None:
        """Return the loans over the connection there is, or is to be; None where none can be."""
        if self.current is None and not self._refused:
            try:
                self.current = Loans(Region.create(BOARD), gpus=self._gpus)
            except OSError as error:
                self._refused = True
                log.warning("no board could be made (%s): tensors are copied to a process", error)
        return self.current

    def cut(self) -> None:
        """Hear that the connection has ended: what comes now goes over the next."""
        if self.current is None:
            return
        self._fruitless = 0 if self.current.fruitful else self._fruitless + 1
        self._refused |= self._fruitless == TRIES
        self._before.append(self.current)
        self.current = None

    def renewed(self) -> None:
        """Hear that the other lives: of what was under way nobody knows whether it came over."""
        for loans in self._before:
            loans.severed = True
            if loans.idle:
                loans.end()
        self._before = [loans for loans in self._before if not loans.idle]

    def refuse(self, what: bytes = ALL_REFUSED) -> None:
        """Lend nothing any more, or nothing of a GPU: the other could not take it in."""
        self._gpus = False
        self._refused |= what != GPU_REFUSED

    def end(self) -> None:
        """Take all for returned: the other is dead.

        Only what went over a second connection may be with who came after it.
        """
        if self.current is not None and self._before:
            self.current.severed = True
        elif self.current is not None:
            self.current.end()
        for loans in self._before:
            loans.end()
        self._before.clear()
        self.current = None
