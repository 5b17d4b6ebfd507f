"""The asks of one process that are under way, and the memory they lend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec

from tether.actors import debug
from tether.actors.handlers import Handler
from tether.actors.link import Link
from tether.actors.memory import Pool
from tether.actors.message import Body, Message


class Ask(msgspec.Struct, eq=False):
    """One call under way: who asked whom for what, and who waits for it.

    `why` it was taken back is said once nobody waits for it any more.
    """

    message: Message
    link: Link
    handler: Handler
    future: asyncio.Future[Any]
    began: float = 0.0
    device: str = "cpu"
    timer: asyncio.TimerHandle | None = None
    checksums: list[int] | None = None
    why: str = ""

    @property
    def number(self) -> int:
        """What names the call in its process."""
        return self.message.number

    @property
    def body(self) -> Body:
        """The encoded arguments."""
        return self.message.body

    @property
    def target(self) -> str:
        """Who was asked."""
        return self.link.remote

    def within(self, actor: str, turn: int) -> bool:
        """Whether it was made in this turn of an actor."""
        return bool(self.message.chain) and self.message.chain[-1] == (actor, turn)


class Asks:
    """The table of asks. One stays in it until its lend has ended, even if nobody waits for it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._open: dict[int, Ask] = {}

    def open(self, ask: Ask) -> None:
        """Enter an ask, and lend what its body holds of transport memory."""
        message = ask.message
        self._open[message.number] = ask
        for part in message.body.parts:
            if part.address:
                self._pool.lend(part.address)
        if debug.ON:
            ask.checksums = debug.checksums(ask.body)

    def close(self, number: int) -> Ask | None:
        """Take an ask out and end its lends; None when it is not known."""
        ask = self._open.pop(number, None)
        if ask is None:
            return None
        if ask.timer is not None:
            ask.timer.cancel()
        for part in ask.message.body.parts:
            if part.address:
                self._pool.end_lend(part.address)
        return ask

    def get(self, number: int) -> Ask | None:
        """Return an ask that is under way; None when it is not known."""
        return self._open.get(number)

    def over(self, link: Link) -> list[Ask]:
        """Return the asks that went out over a link, in their order."""
        return [ask for ask in self._open.values() if ask.link is link]

    def within(self, actor: str, turn: int) -> list[Ask]:
        """Return what an actor waits for in this turn."""
        return [ask for ask in self._open.values() if ask.within(actor, turn)]

    def __iter__(self) -> Iterator[Ask]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)
