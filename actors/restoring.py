"""Whether an actor is made, and its state loaded, with all others or by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

together: ContextVar[bool] = ContextVar("together", default=True)
"""False while an actor is made that joins, or comes back into, a run that goes on without it."""


@contextmanager
def alone() -> Iterator[None]:
    """Have what is made in this block, and its states, taken as one actor's in a run that goes on.

    What is learned then comes from the others, such as x from the center: the kept one is older
    than what they have made of it since.
    """
    before = together.set(False)
    try:
        yield
    finally:
        together.reset(before)
