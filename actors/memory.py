"""Transport memory: reused, because fresh pages cost twenty times a copy."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

ALIGNMENT = 64
PAGE = 1 << 16
FREE_LIMIT = 2 << 30
"""Bytes kept for reuse; what is freed beyond goes back to the system."""


class Slot:
    """One piece of transport memory, busy while any tensor or array lies in it.

    It is the base object of what is built in it, so its own end tells that nobody looks any more.
    """

    __slots__ = ("__array_interface__", "address", "pool", "raw")

    def __init__(self, pool: Pool, raw: Bytes, nbytes: int) -> None:
        self.pool = pool
        self.raw = raw
        self.address = aligned(raw.ctypes.data)
        self.__array_interface__ = {
            "data": (self.address, False),
            "shape": (nbytes,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        self.pool.give_back(self)


class Pool:
    """The transport memory of one process, and what of it is lent."""

    def __init__(self, free_limit: int = FREE_LIMIT) -> None:
        self.free_limit = free_limit
        self.free_bytes = 0
        self._free: dict[int, list[Bytes]] = {}
        self._owned: set[int] = set()
        self._lent: Counter[int] = Counter()

    def take(self, nbytes: int) -> Bytes:
        """Return `nbytes` of writable memory as a flat uint8 array; it comes back by itself."""
        import numpy as np

        size = rounded(nbytes)
        free = self._free.get(size)
        if free:
            raw = free.pop()
            self.free_bytes -= size
        else:
            raw = np.empty(size + ALIGNMENT, np.uint8)
        slot = Slot(self, raw, nbytes)
        self._owned.add(slot.address)
        return np.asarray(slot)

    def give_back(self, slot: Slot) -> None:
        """Keep the memory of a slot nobody looks at for the next of its size."""
        self._owned.discard(slot.address)
        size = slot.raw.nbytes - ALIGNMENT
        if self.free_bytes + size <= self.free_limit:
            self.free_bytes += size
            self._free.setdefault(size, []).append(slot.raw)

    def owns(self, address: int) -> bool:
        """Tell whether a slot that is in use begins at this address."""
        return address in self._owned

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


def aligned(address: int) -> int:
    """Return the first aligned address at or after this one: vector units want 64 bytes."""
    return -(-address // ALIGNMENT) * ALIGNMENT


def rounded(nbytes: int) -> int:
    """Return the size class: powers of two for small ones, whole pages for large ones."""
    if nbytes > PAGE:
        return -(-nbytes // PAGE) * PAGE
    return 1 << max(6, (nbytes - 1).bit_length())
