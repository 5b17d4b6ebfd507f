"""Who is acting: which actor the code that runs now belongs to, on whose behalf, and until when."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tether.actors.cell import Cell

Link = tuple[str, int]
"""One link of a chain of callers: the actor, and which of its turns it is that calls."""


class Acting(msgspec.Struct, eq=False):
    """An actor at work: in its `run()`, or in its `turn` of that number on behalf of others.

    `behind` is the chain of these. In its `life`, which is its `run()`, what it reports are its
    steps. `buffers` are the addresses that `buffer()` gave out here: an answer that lies there
    needs no snapshot.
    """

    cell: Cell
    behind: tuple[Link, ...] = ()
    turn: int = 0
    life: bool = False
    buffers: set[int] | None = None

    @property
    def chain(self) -> tuple[Link, ...]:
        """The calls on whose behalf it acts, its own turn the last; empty in its `run()`.

        Made when it is first asked for: most handlers call nobody.
        """
        if self.turn:
            self.behind = (*self.behind, (self.cell.name, self.turn))
            self.turn = 0
        return self.behind

    def gave(self, address: int) -> None:
        """Note memory that was given out here."""
        if self.buffers is None:
            self.buffers = set()
        self.buffers.add(address)

    def owns(self, address: int) -> bool:
        """Tell whether memory was given out here."""
        return self.buffers is not None and address in self.buffers


acting: ContextVar[Acting | None] = ContextVar("acting", default=None)
deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""The innermost `within`, as a time of the running loop's clock."""


def ending(now: float, seconds: float) -> float:
    """Return when a time that begins now is over: never later, as rounding the sum might be."""
    end = now + seconds
    return end if end - now <= seconds else math.nextafter(end, now)
