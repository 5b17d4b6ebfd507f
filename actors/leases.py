"""What another process of this host lends to this one: its memory, read in place."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgpack

from tether.actors import tensors
from tether.actors.extent import check_extent
from tether.actors.loans import BOARD
from tether.actors.region import Region
from tether.actors.returns import Returns
from tether.actors.segments import SEGMENTS, SLOTS, Plan
from tether.actors.words import whole

MOST = 253
"""Descriptors that come with one message at most; the kernel's own limit."""


class Board(Returns[int]):
    """Where the owner of the slots reads how often each came back; only this process writes it."""

    def __init__(self, region: Region) -> None:
        super().__init__()
        self._process = os.getpid()
        self._words = region.words()

    def book(self, item: int) -> None:
        """Count one more return of a slot."""
        self._words[item] += 1

    def give_back(self, word: int) -> None:
        """Let go of a slot once; in a fork this is its parent's to do."""
        if os.getpid() == self._process:
            self.put(word)


class Lease:
    """One reading of a slot: it lasts as long as any tensor or array that looks at it."""

    __slots__ = ("__array_interface__", "_board", "_region", "_word")

    def __init__(self, region: Region, board: Board, word: int, start: int, nbytes: int) -> None:
        self._region = region
        self._board = board
        self._word = word
        self.__array_interface__ = {
            "data": (region.address + start, False),
            "shape": (nbytes,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        self._board.give_back(self._word)


class Leases:
    """What may be read of one other process, as it told over one connection."""

    def __init__(self) -> None:
        self._board: Board | None = None
        self._segments: dict[int, tuple[Plan, Region]] = {}
        self._passed: deque[int] = deque()

    def passed(self, descriptors: Sequence[int]) -> None:
        """Take descriptors that came; the next news say what they are of.

        Raises OSError for more than any news can speak of.
        """
        self._passed.extend(descriptors)
        if len(self._passed) > MOST:
            raise OSError(f"{len(self._passed)} descriptors came that nobody has spoken of")

    def news(self, data: bytes) -> None:
        """Take in what is lent from now on, and forget what is not any more.

        Raises ValueError when it makes no sense, OSError when it cannot be mapped.
        """
        check_extent(data)
        try:
            board, plans, gone = msgpack.unpackb(data)
            known = [Plan(*map(whole, plan)) for plan in plans]
            over = list(map(whole, gone))
        except (TypeError, msgpack.UnpackException) as error:
            raise ValueError(f"news of shared memory are malformed: {error!r}") from error
        for number in over:
            self._segments.pop(number, None)
        if board:
            self._board = Board(self._next(BOARD))
        for plan in known:
            if not (plan.place < SEGMENTS and plan.slots <= SLOTS and plan.size and plan.slots):
                raise ValueError(f"a segment is announced as {plan}, which has no place on a board")
            self._segments[plan.number] = plan, self._next(plan.size * plan.slots)

    def _next(self, nbytes: int) -> Region:
        if not self._passed:
            raise ValueError(f"{nbytes} bytes of shared memory are announced, but none came")
        return Region.adopt(self._passed.popleft(), nbytes)

    def lease(self, number: int, slot: int, start: int, nbytes: int) -> Any:
        """Return bytes of a slot as a flat writable array; its end gives the slot back.

        Raises ValueError for what is not lent.
        """
        plan, region = self._segments.get(number, (None, None))
        if plan is None or region is None or self._board is None:
            raise ValueError(f"a part lies in segment {number}, which was not announced")
        if slot >= plan.slots or not nbytes or start + nbytes > plan.size:
            raise ValueError(
                f"a part lies in bytes {start} to {start + nbytes} of slot {slot}, but the segment "
                f"has {plan.slots} slots of {plan.size} bytes"
            )
        at = slot * plan.size + start
        return tensors.array_at(Lease(region, self._board, plan.word(slot), at, nbytes))

    def close(self) -> None:
        """Let go of all that no lease looks at any more."""
        self._segments.clear()
        self._board = None
        while self._passed:
            os.close(self._passed.popleft())
