"""What came from an incarnation nobody has told this process of yet: kept until that is made good.

Everybody hears of a restart from the agent, and not all at the same moment. What is kept of one
sender for one receiver is bounded as all else is: a sender that keeps to its window loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tether.actors.packet import Pair, Window

OVERHEAD = 256
"""Bytes that keeping something is taken to cost beside its content."""


class Item(NamedTuple):
    """Something that came too early: from whom, its bytes, and how to take it in."""

    pair: Pair
    nbytes: int
    take: Callable[[], None]


@dataclass(slots=True)
class Kept:
    """What one actor has said to another: by incarnations, number and place in the message."""

    nbytes: int = 0
    items: dict[tuple[int, ...], Item] = field(default_factory=dict)
    messages: set[tuple[int, ...]] = field(default_factory=set)

    def add(self, place: tuple[int, ...], item: Item) -> None:
        """Keep an item."""
        self.items[place] = item
        self.nbytes += item.nbytes
        self.messages.add(place[:3])

    def remove(self, place: tuple[int, ...]) -> None:
        """Forget what is kept at a place, if anything is."""
        before = self.items.pop(place, None)
        if before is not None:
            self.nbytes -= before.nbytes

    def alone(self, place: tuple[int, ...]) -> bool:
        """Whether all is of one message: one larger than the window is let in alone."""
        return self.messages <= {place[:3]}


class Early:
    """Packets, or chunks, by who sent them to whom, in the order they came; each only once."""

    def __init__(self, window: Window) -> None:
        self._limit = 2 * window.bytes + 4 * window.messages * OVERHEAD
        self._kept: dict[tuple[str, str], Kept] = {}

    def __len__(self) -> int:
        return sum(len(kept.items) for kept in self._kept.values())

    def keep(
        self, pair: Pair, number: int, nbytes: int, take: Callable[[], None], *place: int
    ) -> None:
        """Keep what will be taken in by a call; what comes again replaces what was there.

        Raises ValueError beyond two windows, unless all that is kept is of the same message.
        """
        kept = self._kept.setdefault((pair.source, pair.target), Kept())
        key = (*pair[2:], number, *place)
        kept.remove(key)
        item = Item(pair, nbytes + OVERHEAD, take)
        if kept.nbytes + item.nbytes > self._limit and not kept.alone(key):
            raise ValueError(
                f"{pair.source} has said {kept.nbytes} bytes to {pair.target} as incarnation "
                f"{pair.source_incarnation}, which nobody has told of, and no more is kept"
            )
        kept.add(key, item)

    def release(self, source: str, incarnation: int) -> None:
        """Take in what an incarnation has sent that is known now; what is older is forgotten."""
        for ends in [ends for ends in self._kept if ends[0] == source]:
            kept = self._kept.pop(ends)
            later = Kept()
            for place, item in kept.items.items():
                if item.pair.source_incarnation > incarnation:
                    later.add(place, item)
            if later.items:
                self._kept[ends] = later
            for item in kept.items.values():
                if item.pair.source_incarnation == incarnation:
                    item.take()
