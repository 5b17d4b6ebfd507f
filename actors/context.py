"""Who is acting: which actor the code that runs now belongs to, on whose behalf, and until when."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tether.actors.cell import Cell

Link = tuple[str, int]
"""One link of a chain of callers: the actor, and which of its turns it is that calls."""


@dataclass(slots=True)
class Acting:
    """An actor at work: in its `run()` (an empty chain) or in a handler."""

    cell: Cell
    chain: tuple[Link, ...] = ()
    life: bool = False
    """Whether it is in its `run()`: what it reports there are its steps."""
    buffers: set[int] | None = None
    """Addresses `buffer()` gave out here: an answer that lies there needs no snapshot."""

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
