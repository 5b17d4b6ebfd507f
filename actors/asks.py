"""The asks of one process that are under way, and the memory they lend."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tether.actors import debug
from tether.actors.handlers import Handler
from tether.actors.memory import Pool
from tether.actors.message import Body


@dataclass(slots=True, eq=False)
class Ask:
    """One call under way: who asked whom for what, and who waits for it."""

    number: int
    asker: str
    target: str
    handler: Handler
    body: Body
    future: asyncio.Future[Any]
    device: str = "cpu"
    timer: asyncio.TimerHandle | None = None
    checksums: list[int] | None = None


class Asks:
    """The table of asks. One stays in it until its lend has ended, even if nobody waits for it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._open: dict[int, Ask] = {}

    def open(self, ask: Ask) -> None:
        """Enter an ask, and lend what its body holds of transport memory."""
        self._open[ask.number] = ask
        for part in ask.body.parts:
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
        for part in ask.body.parts:
            if part.address:
                self._pool.end_lend(part.address)
        return ask

    def to(self, target: str) -> list[Ask]:
        """Return the asks to one actor."""
        return [ask for ask in self._open.values() if ask.target == target]

    def __len__(self) -> int:
        return len(self._open)
