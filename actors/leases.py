"""What another process of this host lends to this one: its memory, read in place."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgpack

from tether.actors import accelerator, tensors
from tether.actors.accelerator import Shared
from tether.actors.extent import check_extent
from tether.actors.loans import BOARD
from tether.actors.region import Region, interface
from tether.actors.returns import Returns
from tether.actors.segments import SEGMENTS, SLOTS, Plan
from tether.actors.words import text, whole

MOST = 253
"""Descriptors that come with one message at most; the kernel's own limit."""


class OtherGpu(OSError):
    """Memory came of a GPU that this process cannot read."""


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


class Reading:
    """One reading of a slot: its end gives the slot back."""

    __slots__ = ("_board", "_word", "shared")

    def __init__(self, shared: Shared, board: Board, word: int) -> None:
        self.shared = shared
        self._board = board
        self._word = word

    def __del__(self) -> None:
        self._board.give_back(self._word)


class Lease:
    """A reading that lasts as long as any tensor or array that looks at it."""

    __slots__ = ("__array_interface__", "_reading")

    def __init__(self, reading: Reading, start: int, nbytes: int) -> None:
        self._reading = reading
        self.__array_interface__ = interface(reading.shared.address + start, nbytes)

    @property
    def region(self) -> Region | None:
        """The memory of the host that it looks at."""
        shared = self._reading.shared
        return shared if isinstance(shared, Region) else None


class GpuLease:
    """A reading of a GPU's memory that lasts until the GPU has done what it was given with it.

    So the end of the last tensor leaves it behind a fence.
    """

    __slots__ = ("__cuda_array_interface__", "_gpu", "_reading")

    def __init__(self, gpu: str, reading: Reading, start: int, nbytes: int) -> None:
        self._gpu = gpu
        self._reading = reading
        self.__cuda_array_interface__ = interface(reading.shared.address + start, nbytes)

    def __del__(self) -> None:
        with suppress(RuntimeError):  # of a GPU that has failed, and does nothing any more
            accelerator.here.after(accelerator.here.fence(self._gpu), self._reading)


class Leases:
    """What may be read of one other process, as it told over one connection."""

    def __init__(self) -> None:
        self._board: Board | None = None
        self._segments: dict[int, tuple[Plan, Shared]] = {}
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

        Raises ValueError when it makes no sense, OSError when it cannot be mapped, and OtherGpu
        where that is so of a GPU's.
        """
        check_extent(data)
        try:
            board, plans, gone = msgpack.unpackb(data)
            known = list(map(_plan, plans))
            over = list(map(whole, gone))
        except (TypeError, msgpack.UnpackException) as error:
            raise ValueError(f"news of shared memory are malformed: {error!r}") from error
        for number in over:
            self._segments.pop(number, None)
        if board:
            self._board = Board(Region.adopt(self._next(BOARD), BOARD))
        for plan in known:
            if not (plan.place < SEGMENTS and plan.slots <= SLOTS and plan.size and plan.slots):
                raise ValueError(f"a segment is announced as {plan}, which has no place on a board")
            self._segments[plan.number] = plan, self._adopted(plan)

    def _next(self, nbytes: int) -> int:
        if not self._passed:
            raise ValueError(f"{nbytes} bytes of shared memory are announced, but none came")
        return self._passed.popleft()

    def _adopted(self, plan: Plan) -> Shared:
        nbytes = plan.size * plan.slots
        if not plan.gpu:
            return Region.adopt(self._next(nbytes), nbytes)
        try:
            return accelerator.here.adopt(plan.gpu, self._next(nbytes), nbytes)
        except OSError as error:
            raise OtherGpu(str(error)) from error

    def lease(self, number: int, slot: int, start: int, nbytes: int) -> Any:
        """Return bytes of a slot as a flat writable array, of a GPU's as a tensor.

        Its end gives the slot back.

        Raises ValueError for what is not lent.
        """
        plan, shared = self._segments.get(number, (None, None))
        if plan is None or shared is None or self._board is None:
            raise ValueError(f"a part lies in segment {number}, which was not announced")
        if slot >= plan.slots or not nbytes or start + nbytes > plan.size:
            raise ValueError(
                f"a part lies in bytes {start} to {start + nbytes} of slot {slot}, but the segment "
                f"has {plan.slots} slots of {plan.size} bytes"
            )
        at = slot * plan.size + start
        reading = Reading(shared, self._board, plan.word(slot))
        if plan.gpu:
            return accelerator.here.flat(plan.gpu, GpuLease(plan.gpu, reading, at, nbytes))
        return tensors.array_at(Lease(reading, at, nbytes))

    def close(self) -> None:
        """Let go of all that no lease looks at any more."""
        self._segments.clear()
        self._board = None
        while self._passed:
            os.close(self._passed.popleft())


def _plan(plan: Any) -> Plan:
    if not isinstance(plan, list) or len(plan) not in {4, 5}:
        raise TypeError(f"{plan!r:.80} came where a segment belongs")
    number, place, size, slots = map(whole, plan[:4])
    return Plan(number, place, size, slots, text(plan[4]) if len(plan) > 4 else "")
