"""What waits to be handled by one actor, in the order it came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tether.actors.link import Link
from tether.actors.message import Message


@dataclass(slots=True, eq=False)
class Errand:
    """Something the runtime has this actor do as one of its messages."""

    function: Callable[..., Awaitable[None]]
    args: tuple[Any, ...]
    method: str = ""
    """As no message of an actor is called."""


class Mailbox:
    """A queue for one reader. Its senders' windows bound it."""

    def __init__(self) -> None:
        self.queue: deque[Message | Errand] = deque()
        """What waits; only who handles it takes from here."""
        self._arrival: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self.queue)

    def put(self, item: Message | Errand) -> None:
        """Append what came, and wake the reader."""
        self.queue.append(item)
        self.wake()

    def wake(self) -> None:
        """Tell the reader that something was appended."""
        arrival = self._arrival
        if arrival is not None and not arrival.done():
            arrival.set_result(None)

    async def arrival(self, patience: float | None = None) -> bool:
        """Wait until something comes; tell whether it did in time."""
        self._arrival = asyncio.get_running_loop().create_future()
        try:
            if patience is None:
                await self._arrival
            else:
                await asyncio.wait((self._arrival,), timeout=patience)
            return self._arrival.done()
        finally:
            self._arrival = None

    def remove(self, link: Link, number: int) -> Message | None:
        """Take a call back; None when it is not waiting here."""
        for item in self.queue:
            if isinstance(item, Message) and item.number == number and item.link is link:
                self.queue.remove(item)
                return item
        return None

    def supersede(self, source: str, method: str) -> Message | None:
        """Take out the call of this sender and message that is waiting, if there is one."""
        for item in self.queue:
            if isinstance(item, Message) and item.source == source and item.method == method:
                self.queue.remove(item)
                return item
        return None

    def take(self, method: str, limit: int) -> list[Message]:
        """Take out up to `limit` calls of one message, none past another of the same sender."""
        taken: list[Message] = []
        left: deque[Message | Errand] = deque()
        passed: set[str] = set()
        for item in self.queue:
            if (
                isinstance(item, Message)
                and item.method == method
                and item.source not in passed
                and len(taken) < limit
            ):
                taken.append(item)
                continue
            left.append(item)
            if isinstance(item, Message):
                passed.add(item.source)
        self.queue.clear()
        self.queue += left
        return taken
