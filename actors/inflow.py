"""What comes in over one stream socket: whole messages, as they were sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from tether.actors.outflow import LENGTH

MAX_MESSAGE = 16 << 20
"""Bytes beyond which a peer is cut off: no frame of ours exceeds 8 MiB."""
HEAD = LENGTH.size


class Inflow:
    """Reads a connection that was accepted; `take` gets each message, valid during the call only.

    The first message is the peer's hello. One that is too long ends the connection, by `refuse`.
    """

    def __init__(
        self,
        accepted: socket.socket,
        take: Callable[[memoryview], None],
        refuse: Callable[[str], None],
        ended: Callable[[Inflow], None],
        room: int = 1 << 18,
    ) -> None:
        self.peer = ""
        self._socket = accepted
        self._take = take
        self._refuse = refuse
        self._ended = ended
        self._room = room
        self._view = memoryview(bytearray(room))
        self._start = self._end = 0
        self._loop = asyncio.get_running_loop()
        accepted.setblocking(False)
        self._loop.add_reader(accepted.fileno(), self._read)

    def _read(self) -> None:
        """Take in what is there, up to the room there is; the loop calls again for more."""
        try:
            came = self._socket.recv_into(self._view[self._end :])
        except BlockingIOError:
            return
        except OSError:
            came = 0
        if not came:
            self.close()
            return
        self._end += came
        self._hand_on()

    def _hand_on(self) -> None:
        """Hand on all messages that are whole, and make room for the rest of the next."""
        view, start, end = self._view, self._start, self._end
        size = 0
        while end - start >= HEAD:
            (size,) = LENGTH.unpack_from(view, start)
            if size > MAX_MESSAGE:
                self._refuse(f"a message of {size} bytes was announced, which is too long")
                self.close()
                return
            if end - start - HEAD < size:
                break
            start += HEAD + size
            self._message(view[start - size : start])
            if self._socket.fileno() < 0:  # closed by who took it
                return
            size = 0
        self._start, self._end = start, end
        self._make_room(HEAD + size)

    def _message(self, message: memoryview) -> None:
        if self.peer:
            self._take(message)
        else:
            self.peer = str(message, "utf-8", "replace") or "?"

    def _make_room(self, wanted: int) -> None:
        """Move what is left to the front when the next message would not fit behind it."""
        left = self._end - self._start
        if not left:
            self._start = self._end = 0
        if self._start + wanted <= len(self._view) and self._end < len(self._view):
            return
        size = max(self._room, wanted)
        view = self._view if size <= len(self._view) else memoryview(bytearray(size))
        view[:left] = self._view[self._start : self._end]
        self._view, self._start, self._end = view, 0, left

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._ended(self)
