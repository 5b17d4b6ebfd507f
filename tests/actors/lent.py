"""Two ends of shared memory in one process: what one lends, the other reads."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import msgpack

from tether.actors.leases import Leases
from tether.actors.loans import Lending, Loans
from tether.actors.memory import Pool
from tether.actors.segments import Piece, Segments

LARGE = 100_000
"""Bytes that lie in shared memory, and not alone in their segment."""


def pool(**more: Any) -> Pool:
    """Return a pool with shared memory."""
    return Pool(Segments(), **more)


def piece(owner: Pool, memory: Any) -> Piece:
    """Return the slot that some memory lies in."""
    found = owner.shared(memory.ctypes.data)
    assert found is not None
    return found


def begun(lending: Lending) -> Loans:
    """Return the loans over the connection there is."""
    loans = lending.loans()
    assert loans is not None
    return loans


class Reader:
    """Who is lent to, over one connection that works as a test wants."""

    def __init__(self) -> None:
        self.lending = Lending()
        self.leases = Leases()

    def hear(self) -> None:
        """Be told all news there are."""
        news = begun(self.lending).news()
        if news is not None:
            self.leases.passed([os.dup(region.fd) for region in news.regions])
            self.leases.news(msgpack.packb([news.board, news.plans, news.gone]))

    def lent(self, owner: Pool, memory: Any) -> Any:
        """Be lent some memory; return it as it is seen here."""
        number, slot = begun(self.lending).lend(piece(owner, memory))
        self.hear()
        return self.leases.lease(number, slot, 0, memory.nbytes)

    def miss(self, owner: Pool, memory: Any) -> None:
        """Be lent some memory by a frame that never comes."""
        begun(self.lending).lend(piece(owner, memory))

    def break_off(self) -> None:
        """Lose the connection, and get another."""
        self.lending.cut()
        self.leases.close()
        self.leases = Leases()
        self.lending.renewed()


def descriptors() -> int:
    """Return how many files this process has open, and needs."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))
