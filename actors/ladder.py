"""Two networks as one: each process is reached by the nearer of the two that reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Container

from tether.actors.loans import Loans
from tether.actors.transport import Receiver, Transport


class Ladder:
    """Carries to those who are `far` by one transport, and to all others by a nearer one.

    Both must lose nothing but with a connection.
    """

    resend_after: float | None = None

    def __init__(self, near: Transport, far: Transport, away: Container[str]) -> None:
        self.near = near
        self.far = far
        self.shares = near.shares or far.shares
        self._away = away

    def _rung(self, process: str) -> Transport:
        return self.far if process in self._away else self.near

    async def start(self, receiver: Receiver) -> None:
        """Begin to take in what comes by either."""
        await self.near.start(receiver)
        await self.far.start(receiver)

    def send(self, process: str, frame: bytes) -> None:
        """Carry a frame."""
        self._rung(process).send(process, frame)

    def loans(self, process: str) -> Loans | None:
        """Return what counts the memory that frames lend to a process."""
        return self._rung(process).loans(process)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        """Carry a chunk."""
        self._rung(process).send_chunk(process, header, data)

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        """Forget the connection to a process that was started anew."""
        self._rung(process).renew(process, addresses)

    async def close(self, linger: float) -> None:
        """Let what is queued leave, then end both."""
        await asyncio.gather(self.near.close(linger), self.far.close(linger))
