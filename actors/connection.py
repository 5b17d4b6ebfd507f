"""A stream socket that is connected, as an event loop sees it: what comes, and room for more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

Bytes = bytes | memoryview
Rights = Sequence[tuple[int, int, bytes]]
"""What came along with bytes: descriptors, as the kernel packs them."""
Received = tuple[int, Rights, int, Any]

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds between attempts to connect: they double from the first to the longest."""
ENDED: Received = (0, (), 0, None)
"""What is received of one who has ended: no bytes."""


class Connection:
    """Has `readable` called when something has come, and `writable` when there is room again."""

    __slots__ = ("_loop", "_writable", "blocked", "closed", "socket")

    def __init__(
        self,
        connected: socket.socket,
        readable: Callable[[], None],
        writable: Callable[[], None] | None = None,
    ) -> None:
        self.socket = connected
        self.blocked = False
        """Whether there was no room, and none has come since."""
        self.closed = False
        self._writable = writable
        self._loop = asyncio.get_running_loop()
        connected.setblocking(False)
        self._loop.add_reader(connected.fileno(), readable)

    def receive(
        self, rooms: Sequence[memoryview], rights: int = 0, flags: int = 0
    ) -> Received | None:
        """Receive into memory; return what `recvmsg_into` does, None when nothing is there now.

        No bytes have come when the other side has ended, or the connection is broken.
        """
        try:
            return self.socket.recvmsg_into(rooms, rights, flags)
        except BlockingIOError:
            return None
        except OSError:
            return ENDED

    def wait_for_room(self, blocked: bool) -> None:
        """Be told when the kernel takes more, or not any longer."""
        if blocked != self.blocked:
            self.blocked = blocked
            if blocked:
                assert self._writable is not None
                self._loop.add_writer(self.socket.fileno(), self._writable)
            else:
                self._loop.remove_writer(self.socket.fileno())

    def close(self) -> None:
        """Let go of it; what the kernel has taken still arrives."""
        if not self.closed:
            self.closed = True
            self.wait_for_room(False)
            with suppress(OSError):  # of one that is broken
                self._loop.remove_reader(self.socket.fileno())
            self.socket.close()


def take_away(parts: list[Bytes], sent: int) -> None:
    """Take out of the parts of a message the bytes that have gone, from the front on."""
    while parts and sent >= len(parts[0]):
        sent -= len(parts.pop(0))
    if parts:
        parts[0] = memoryview(parts[0])[sent:]
