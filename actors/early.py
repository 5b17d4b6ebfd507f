"""What came from an incarnation nobody has told this process of yet: kept until that is made good.

Everybody hears of a restart from the agent, and not all at the same moment. What is kept of one
sender for one receiver is bounded as all else is: a sender that keeps to its window loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tether.actors.packet import Pair, Window

OVERHEAD = 256
"""Bytes that keeping something is taken to cost beside its content."""


class Kept(NamedTuple):
    """Something that came too early, its bytes, and how to take it in."""

    pair: Pair
    nbytes: int
    take: Callable[[], None]


class Early:
    """Packets, or chunks, by who sent them to whom, in the order they came; each only once."""

    def __init__(self, window: Window) -> None:
        self._limit = 2 * window.bytes + 4 * window.messages * OVERHEAD
        self._kept: dict[tuple[str, str], dict[tuple[int, ...], Kept]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def keep(
        self,
        pair: Pair,
        place: tuple[int, ...],
        nbytes: int,
        take: Callable[[], None],
        total: int = 0,
    ) -> None:
        """Keep what will be taken in by a call; `total` is the size of what it is a piece of.

        What comes to the same place replaces what was there. Raises ValueError beyond the bound.
        """
        kept = self._kept.setdefault((pair.source, pair.target), {})
        place = (*pair[2:], *place)
        kept.pop(place, None)
        held = sum(item.nbytes + OVERHEAD for item in kept.values())
        if held + nbytes > max(self._limit, total + total // 8):
            raise ValueError(
                f"{pair.source} has said {held} bytes to {pair.target} in an incarnation that "
                "nobody has told of, and no more can be kept"
            )
        kept[place] = Kept(pair, nbytes, take)

    def release(self, source: str, incarnation: int) -> None:
        """Take in what an incarnation has sent that is known now; what is older is forgotten."""
        for ends in [ends for ends in self._kept if ends[0] == source]:
            kept = self._kept.pop(ends)
            later = {k: item for k, item in kept.items() if item[0].source_incarnation > incarnation}
            if later:
                self._kept[ends] = later
            for item in kept.values():
                if item.pair.source_incarnation == incarnation:
                    item.take()
