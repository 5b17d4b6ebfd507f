"""What the two sides of a link say to each other, whatever carries it.

Tuples where one is made for every packet: a frozen dataclass costs four times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from tether.actors.message import Message


class Pair(NamedTuple):
    """Who speaks to whom, in which incarnations."""

    source: str
    target: str
    source_incarnation: int
    target_incarnation: int

    @property
    def turned(self) -> Pair:
        """The same pair, as its other end sees it."""
        source, target, source_incarnation, target_incarnation = self
        return Pair(target, source, target_incarnation, source_incarnation)


@dataclass(frozen=True, slots=True)
class Window:
    """What a receiver holds for one sender: messages and bytes; one larger is let in alone."""

    messages: int = 64
    bytes: int = 64 << 20


NONE_DROPPED: Mapping[str, int] = {}
"""What every acknowledgement without a loss holds: nobody writes into it."""


class Ack(NamedTuple):
    """What the receiving side has done so far; it only grows, so the newest one says all.

    `received` is the number of the last message that came without a gap; `handled` and `dropped`
    count calls, `bytes` is their size.
    """

    received: int = 0
    handled: int = 0
    bytes: int = 0
    dropped: Mapping[str, int] = NONE_DROPPED

    @property
    def settled(self) -> int:
        """Return how many calls were handled or dropped."""
        return self.handled + sum(self.dropped.values()) if self.dropped else self.handled


made_ack: Callable[[tuple[int, int, int, Mapping[str, int]]], Ack] = partial(tuple.__new__, Ack)
"""Makes one of all its fields; the class itself takes twice as long."""


class Packet(NamedTuple):
    """Consecutive messages from number `first` on, and what came of the other direction.

    One whose `first` is 0 asks the other side to acknowledge anew. Of a packet that is known to be
    `small` no message has parts or a deadline, and on its way out all have `size` bytes at most.
    """

    first: int
    messages: tuple[Message, ...]
    ack: Ack
    size: int = 0
    small: bool = False

    @property
    def structure(self) -> int:
        """Return how many bytes of structure its messages have, or a little more."""
        if self.small:
            return self.size
        return sum(len(message.body.data) for message in self.messages)


made_packet: Callable[[tuple[int, tuple[Message, ...], Ack, int, bool]], Packet] = partial(
    tuple.__new__, Packet
)
"""Makes one of all its fields; the class itself takes twice as long."""
