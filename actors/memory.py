"""Transport memory: reused, because fresh pages cost twenty times a copy."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from tether.actors import accelerator
from tether.actors.region import Region, interface
from tether.actors.returns import Returns
from tether.actors.segments import Piece, Segment, Segments

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

ALIGNMENT = 64
PAGE = 1 << 16
FREE_LIMIT = 2 << 30
"""Bytes kept for reuse; what is freed beyond goes back to the system."""


class Slot:
    """One piece of transport memory in use, for as long as any tensor or array lies in it.

    It is the base object of what is built in it, so its own end tells that nobody looks any more.
    """

    __slots__ = ("__array_interface__", "__cuda_array_interface__", "piece", "pool")

    def __init__(self, pool: Pool, piece: Piece | Own, nbytes: int) -> None:
        self.pool = pool
        self.piece = piece
        if piece.gpu:
            self.__cuda_array_interface__ = interface(piece.address, nbytes)
        else:
            self.__array_interface__ = interface(piece.address, nbytes)

    @property
    def region(self) -> Region | None:
        """The shared memory of the host that it lies in, if it does."""
        return host_memory(self.piece)

    def __del__(self) -> None:
        self.pool.give_back(self.piece)


class Own:
    """A piece of memory of this process alone."""

    __slots__ = ("_raw", "address", "size")
    gpu = ""

    def __init__(self, size: int) -> None:
        import numpy as np

        self._raw = np.empty(size + ALIGNMENT, np.uint8)
        self.address = aligned(self._raw.ctypes.data)
        self.size = size

    def unread(self) -> bool:
        """Tell whether nobody reads it: who could is in this process, and looks at its slot."""
        return True


class Pool(Returns[Piece | Own]):
    """The transport memory of one process, and what of it is lent.

    Large pieces lie in `segments`, if there are any, so that other processes can read them there.
    """

    def __init__(self, segments: Segments | None = None, free_limit: int = FREE_LIMIT) -> None:
        super().__init__()
        self.free_limit = free_limit
        self._segments = segments
        self._process = os.getpid()
        self._free: dict[tuple[str, int], list[Piece | Own]] = {}
        self._used: dict[int, Piece | Own] = {}
        self._lent: Counter[int] = Counter()

    def take(self, nbytes: int) -> Bytes:
        """Return `nbytes` of writable memory as a flat uint8 array; it comes back by itself."""
        import numpy as np

        size = rounded(nbytes)
        with self.settled():
            piece = self._reused("", size) or self._made(size)
            self._used[piece.address] = piece
        return np.asarray(Slot(self, piece, nbytes))

    def take_on(self, device: Any, nbytes: int) -> Tensor | None:
        """Return `nbytes` of a GPU's memory as a flat tensor; None where it cannot be shared."""
        gpu = accelerator.here.gpu(device) if self._segments is not None else ""
        if not gpu or os.getpid() != self._process:
            return None
        size = rounded(nbytes)
        with self.settled():
            piece = self._reused(gpu, size) or self._cut(gpu, size)
            if piece is None:
                return None
            self._used[piece.address] = piece
        return accelerator.here.flat(gpu, Slot(self, piece, nbytes))

    def _reused(self, gpu: str, size: int) -> Piece | Own | None:
        """Return the piece of a size that was used last: the likeliest to be in a cache."""
        if os.getpid() != self._process:  # a fork has no say in what it inherited
            return None
        free = self._free.get((gpu, size), [])
        for index in range(len(free) - 1, -1, -1):
            if free[index].unread():
                return free.pop(index)
        for piece in [piece for piece in free if isinstance(piece, Piece) and piece.lost]:
            self._retire(piece.segment)
        return None

    def _made(self, size: int) -> Piece | Own:
        if self._segments is None or size <= PAGE or os.getpid() != self._process:
            return Own(size)
        return self._cut("", size) or Own(size)

    def _cut(self, gpu: str, size: int) -> Piece | None:
        """Return a piece of a new segment, whose others are free then; None if there is none."""
        assert self._segments is not None
        pieces = self._segments.make(size, gpu)
        if not pieces:  # what nobody uses now may make room
            self._trim(size, None if self._segments.full else gpu)
            pieces = self._segments.make(size, gpu)
        if not pieces:
            return None
        first, *others = pieces
        self._free.setdefault((gpu, size), []).extend(reversed(others))
        return first

    def give_back(self, piece: Piece | Own) -> None:
        """Keep a piece that nobody looks at here for the next of its size."""
        self._used.pop(piece.address, None)
        self.put(piece)

    def book(self, item: Piece | Own) -> None:
        """Enter a piece among the free ones, and let go of what is too much."""
        if isinstance(item, Piece) and item.segment.retired:
            item.segment.forget()
            return
        self._free.setdefault((item.gpu, item.size), []).append(item)
        excess = self._free_bytes() - self.free_limit
        if excess > 0:
            self._trim(excess)

    def _trim(self, excess: int, gpu: str | None = None) -> None:
        """Let go of the free pieces that were used least lately, segments only as a whole.

        With `gpu` only those that lie there; empty for those of the host.
        """
        for (where, _), free in list(self._free.items()):
            for piece in list(free) if gpu in {None, where} else ():
                if excess <= 0:
                    return
                if isinstance(piece, Own):
                    free.remove(piece)
                    excess -= piece.size
                elif not piece.segment.retired and self._idle(piece.segment):
                    self._retire(piece.segment)
                    excess -= piece.segment.region.nbytes

    def _idle(self, segment: Segment) -> bool:
        """Tell whether nobody looks at any slot of a segment, here or elsewhere."""
        free = [piece for piece in self._free[_class(segment)] if _of(piece, segment)]
        return len(free) == segment.plan.slots and all(piece.unread() for piece in free)

    def _retire(self, segment: Segment) -> None:
        assert self._segments is not None
        if not segment.retired:
            self._segments.retire(segment)
            free = self._free[_class(segment)]
            free[:] = [piece for piece in free if not _of(piece, segment)]

    @property
    def free_bytes(self) -> int:
        """Bytes kept for reuse, also those that others still read."""
        with self.settled():
            return self._free_bytes()

    def _free_bytes(self) -> int:
        return sum(size * len(free) for (_, size), free in self._free.items())

    def shared(self, address: int) -> Piece | None:
        """Return the piece in use that begins at this address, if others can read it there."""
        piece = self._used.get(address)
        return piece if isinstance(piece, Piece) else None

    def owns(self, address: int) -> bool:
        """Tell whether a slot that is in use begins at this address."""
        return address in self._used

    def lend(self, address: int) -> None:
        """Count one more message that reads this slot."""
        self._lent[address] += 1

    def end_lend(self, address: int) -> None:
        """Count one message less that reads this slot."""
        self._lent[address] -= 1
        if self._lent[address] <= 0:
            del self._lent[address]

    def is_lent(self, address: int) -> bool:
        """Tell whether a message may still read this slot."""
        return address in self._lent


def _class(segment: Segment) -> tuple[str, int]:
    return segment.plan.gpu, segment.plan.size


def host_memory(piece: Piece | Own) -> Region | None:
    """Return the shared memory of the host that a piece lies in, if it does."""
    region = None if isinstance(piece, Own) or piece.gpu else piece.segment.region
    return region if isinstance(region, Region) else None


def _of(piece: Piece | Own, segment: Segment) -> bool:
    return isinstance(piece, Piece) and piece.segment is segment


def aligned(address: int) -> int:
    """Return the first aligned address at or after this one: vector units want 64 bytes."""
    return -(-address // ALIGNMENT) * ALIGNMENT


def rounded(nbytes: int) -> int:
    """Return the size class: powers of two for small ones, whole pages for large ones."""
    if nbytes > PAGE:
        return -(-nbytes // PAGE) * PAGE
    return 1 << max(6, (nbytes - 1).bit_length())
