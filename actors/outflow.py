"""What goes out over one stream socket: messages in order, as fast as the kernel takes them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress

Bytes = bytes | memoryview

LENGTH = struct.Struct("<I")
"""What stands before each message: its length."""
TURN_BYTES = 8 << 20
"""What one turn of the loop moves at most, so that everything else gets its turn too."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds between attempts to connect: they double from the first to the longest."""


class Outflow:
    """Dials a stream socket, again when it breaks, and says first who speaks.

    A message that had gone out in part when the connection broke is forgotten; `renewed` is called
    when a new one stands, for all that was under way may be lost.
    """

    def __init__(
        self, path: str, hello: bytes, renewed: Callable[[], None], buffered: int | None = None
    ) -> None:
        self.path = path
        self._hello = hello
        self._renewed = renewed
        self._buffered = buffered
        self._loop = asyncio.get_running_loop()
        self._queue: deque[list[Bytes]] = deque()
        self._begun = False
        """Whether some of the first message has gone out."""
        self._socket: socket.socket | None = None
        self._connections = 0
        self._pause = FIRST_PAUSE
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = False
        self._dial()

    def __len__(self) -> int:
        return len(self._queue)

    def send(self, *parts: Bytes) -> None:
        """Send a message of these bytes, at once if there is room for it."""
        size = 0
        for part in parts:
            size += len(part)
        message: list[Bytes] = [LENGTH.pack(size), *parts]
        self._queue.append(message)
        if len(self._queue) == 1 and self._socket is not None:
            self._flush()

    def _flush(self) -> None:
        """Send what the kernel takes, and be told when it takes more."""
        assert self._socket is not None
        queue, budget = self._queue, TURN_BYTES
        try:
            while queue and budget > 0:
                sent = self._socket.sendmsg(queue[0])
                budget -= sent
                self._went(sent)
        except BlockingIOError:
            pass
        except OSError:
            self._lost()
            return
        self._wait_for_room(bool(queue))

    def _went(self, sent: int) -> None:
        """Take out of the first message what has gone, and the message when all has."""
        message = self._queue[0]
        while message and sent >= len(message[0]):
            sent -= len(message.pop(0))
        self._begun = bool(message)
        if message:
            message[0] = memoryview(message[0])[sent:]
        else:
            self._queue.popleft()

    def _wait_for_room(self, blocked: bool) -> None:
        if blocked != self._blocked and self._socket is not None:
            self._blocked = blocked
            if blocked:
                self._loop.add_writer(self._socket.fileno(), self._flush)
            else:
                self._loop.remove_writer(self._socket.fileno())

    def _dial(self) -> None:
        """Connect, now or later: who is dialled may not listen yet."""
        self._timer = None
        dialled = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        dialled.setblocking(False)
        if self._buffered is not None:
            dialled.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffered)
        try:
            dialled.connect(self.path)
            dialled.sendall(LENGTH.pack(len(self._hello)) + self._hello)
        except OSError:
            dialled.close()
            self._dial_later()
            return
        self._connected(dialled)

    def _dial_later(self) -> None:
        self._timer = self._loop.call_later(self._pause, self._dial)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _connected(self, dialled: socket.socket) -> None:
        self._socket = dialled
        self._pause = FIRST_PAUSE
        self._connections += 1
        self._loop.add_reader(dialled.fileno(), self._heard)
        if self._connections > 1:
            self._renewed()
        if self._queue:
            self._wait_for_room(True)

    def _heard(self) -> None:
        """Notice an end: nothing else ever comes this way."""
        assert self._socket is not None
        with suppress(BlockingIOError):
            with suppress(ConnectionError):
                self._socket.recv(4096)
            self._lost()

    def _lost(self) -> None:
        self._hang_up()
        if self._begun:
            self._queue.popleft()
            self._begun = False
        self._dial_later()

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._wait_for_room(False)
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Let go of the connection; what the kernel has taken still arrives."""
        if self._timer is not None:
            self._timer.cancel()
        self._hang_up()
        self._queue.clear()
