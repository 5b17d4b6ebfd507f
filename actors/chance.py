"""The acting actor's own random numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tether.actors.clock import SystemClock
from tether.actors.context import acting

if TYPE_CHECKING:
    from random import Random


def chance() -> Random:
    """Return the acting actor's generator, seeded by (run seed, actor); else the process's own."""
    here = acting.get()
    return here.cell.random if here is not None else _outside()


@lru_cache(maxsize=1)
def _outside() -> Random:
    return SystemClock().random("outside any actor")
