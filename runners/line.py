"""A numbered line between two agents: each message once and in order, whatever is lost on the way.

It does no input or output. What it gives out may be lost, doubled, or come late; every packet tells
what has come, and which of the other side's packets that was heard of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Body = list[Any]
"""What a packet holds: when it was sent, the newest such time of the other side that was heard, up
to which message all has come, the number of the message in it, and that; number 0 is no message of
the line, and may be lost."""
SHAPE = (float, float, int, int)


@dataclass(slots=True)
class Sent:
    """A message that was not yet confirmed, and when it was last given out, if it was."""

    number: int
    message: Any
    stamp: float | None = None


class Line:
    """One end of such a line; all times are of its own clock."""

    def __init__(self, now: float) -> None:
        self.heard = now
        """When something last came."""
        self.confirmed = now
        """When that was sent which the other side is known to have heard of."""
        self.offset = float("inf")
        """What to add to the other side's times: its least is the nearest to the truth."""
        self._put = 0
        self._kept: deque[Sent] = deque()
        self._came = 0
        self._echo = 0.0

    @property
    def pending(self) -> int:
        """How many messages have not been confirmed yet."""
        return len(self._kept)

    def put(self, message: Any) -> None:
        """Have a message sent."""
        self._put += 1
        self._kept.append(Sent(self._put, message))

    def due(self, now: float) -> Iterator[Body]:
        """Yield the packets that are to be given out."""
        for sent in self._kept:
            if sent.stamp is None:
                sent.stamp = now
                yield [now, self._echo, self._came, sent.number, sent.message]

    def beat(self, now: float, message: Any = None) -> Body:
        """Return a packet that only says that we are there, with what may be lost."""
        return [now, self._echo, self._came, 0, message]

    def again(self) -> None:
        """Have all sent again that was not confirmed: what was under way may be lost."""
        for sent in self._kept:
            sent.stamp = None

    def take(self, body: Body, now: float) -> list[Any]:
        """Take a packet in; return the message in it, if there is one and it is the next."""
        stamp, echo, came, number, message = body
        self.heard = now
        self.offset = min(self.offset, now - stamp)
        self._echo = max(self._echo, stamp)
        self.confirmed = max(self.confirmed, echo)
        while self._kept and self._kept[0].number <= came:
            self._kept.popleft()
        for sent in self._kept:  # what was sent before that was lost, or it would have come
            if sent.stamp is not None and sent.stamp < echo:
                sent.stamp = None
        if number == 0:
            return [] if message is None else [message]
        if number != self._came + 1:
            return []
        self._came = number
        return [message]


def is_body(value: Any) -> bool:
    """Whether something that came from outside has the shape of a packet's body."""
    return (
        isinstance(value, list)
        and len(value) == len(SHAPE) + 1
        and all(type(part) is kind for part, kind in zip(value, SHAPE, strict=False))
    )
