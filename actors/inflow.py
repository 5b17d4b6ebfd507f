"""What comes in over one stream socket: whole messages, as they were sent."""

from __future__ import annotations

import socket
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress

from tether.actors.connection import Connection, Rights
from tether.actors.loans import ALL_REFUSED
from tether.actors.outflow import LENGTH

MAX_MESSAGE = 16 << 20
"""Bytes beyond which a peer is cut off: no frame of ours exceeds 8 MiB."""
HEAD = LENGTH.size
RIGHTS = socket.CMSG_SPACE(253 * array("i").itemsize)
"""Room for as many descriptors as the kernel passes with one message."""
CLOSED_ON_EXEC = int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))
CUT_SHORT = int(socket.MSG_CTRUNC)
"""As a plain number: an operation on an enumeration's member costs more than the system call."""


class Inflow:
    """Reads a connection that was accepted; `take` gets each message, valid during the call only.

    The first message is the peer's hello. One that is too long ends the connection, by `refuse`.
    `passed` gets the file descriptors that come along; without it none are taken.
    """

    def __init__(
        self,
        accepted: socket.socket,
        take: Callable[[memoryview], None],
        refuse: Callable[[str], None],
        ended: Callable[[Inflow], None],
        room: int = 1 << 18,
        passed: Callable[[Sequence[int]], None] | None = None,
    ) -> None:
        self.peer = ""
        self._take = take
        self._message: Callable[[memoryview], None] = self._greeted
        self._refuse = refuse
        self._ended = ended
        self._passed = passed
        self._room = room
        self._view = memoryview(bytearray(room))
        self._start = self._end = 0
        self._connection = Connection(accepted, self._read)

    def _read(self) -> None:
        """Take in what is there, up to the room there is; the loop calls again for more."""
        room = self._view[self._end :] if self._end else self._view
        rights = 0 if self._passed is None else RIGHTS
        received = self._connection.receive([room], rights, CLOSED_ON_EXEC)
        if received is None:
            return
        came, passed, flags, _ = received
        if not came or ((passed or flags & CUT_SHORT) and not self._accepts(passed, flags)):
            self.close()
            return
        self._end += came
        self._hand_on()

    def _accepts(self, rights: Rights, flags: int) -> bool:
        """Take in the descriptors that came with the first byte; tell whether all were."""
        if self._passed is None:
            return True
        try:
            self._passed(_descriptors(rights))
        except OSError:
            return False
        if flags & CUT_SHORT:
            self.refuse_memory("this process has no room for the descriptors that came")
            return False
        return True

    def refuse_memory(self, why: str, what: bytes = ALL_REFUSED) -> None:
        """End the connection: what was passed along cannot be taken in, so it is to be copied."""
        self._refuse(why)
        with suppress(OSError):
            self._connection.socket.send(what)
        self.close()

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
            if self._connection.closed:  # by who took it
                return
            size = 0
        if start == end:
            self._start = self._end = 0
        else:
            self._start, self._end = start, end
            self._make_room(HEAD + size)

    def _greeted(self, message: memoryview) -> None:
        """Take the hello; what comes after it goes to who takes messages."""
        self.peer = str(message, "utf-8", "replace") or "?"
        self._message = self._take

    def _make_room(self, wanted: int) -> None:
        """Move what is left to the front when the next message would not fit behind it."""
        left = self._end - self._start
        if self._start + wanted <= len(self._view) and self._end < len(self._view):
            return
        size = max(self._room, wanted)
        view = self._view if size <= len(self._view) else memoryview(bytearray(size))
        view[:left] = self._view[self._start : self._end]
        self._view, self._start, self._end = view, 0, left

    def close(self) -> None:
        """Let go of the connection."""
        if not self._connection.closed:
            self._connection.close()
            self._ended(self)


def _descriptors(rights: Rights) -> array[int]:
    """Return the file descriptors that came along."""
    found = array("i")
    for _level, _kind, data in rights:
        found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found
