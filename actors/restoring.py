"""Whether a state that is loaded comes with those of all others, or with its own actor alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

together: ContextVar[bool] = ContextVar("together", default=True)
"""False while an actor that has died comes back into a run that went on without it."""


@contextmanager
def alone() -> Iterator[None]:
    """Have the states loaded in this block taken as those of one actor that others went on from.

    What is learned then comes from the others, such as x from the center: the kept one is older
    than what they have made of it since.
    """
    before = together.set(False)
    try:
        yield
    finally:
        together.reset(before)
