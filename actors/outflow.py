"""What goes out over one stream socket: messages in order, as fast as the kernel takes them."""

from __future__ import annotations

import asyncio
import socket
import struct
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tether.actors.accelerator import Shared
from tether.actors.connection import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Bytes,
    Connection,
    take_away,
)
from tether.actors.loans import ALL_REFUSED, GPU_REFUSED

LENGTH = struct.Struct("<I")
"""What stands before each message: its length."""
TURN_BYTES = 8 << 20
"""What one turn of the loop moves at most, so that everything else gets its turn too."""
SMALL = 64 << 10
"""Bytes up to which a message and its length are sent as one piece: it costs less than two."""


def nothing() -> None:
    """Have nobody told."""


def nothing_of(_what: bytes) -> None:
    """Have nobody told of a refusal."""


@dataclass(slots=True, eq=False)
class Letter:
    """A message on its way: the bytes that have not gone, and memory that is passed along."""

    parts: list[Bytes]
    regions: Sequence[Shared] = ()
    bound: bool = False
    """Whether it says something of this connection only."""
    begun: bool = False
    """Whether some of it has gone."""


class Outflow:
    """Dials a stream socket, again when it breaks, and says first who speaks.

    A message that had gone out in part when the connection broke is forgotten, and so are those
    that were bound to it; `renewed` is called when a new one stands, for all that was under way may
    be lost. `cut` is called when one ends, and `refused` with what memory the other side does not
    want.
    """

    def __init__(
        self,
        path: str,
        hello: bytes,
        renewed: Callable[[], None],
        buffered: int | None = None,
        *,
        cut: Callable[[], None] = nothing,
        refused: Callable[[bytes], None] = nothing_of,
    ) -> None:
        self.path = path
        self._hello = hello
        self._renewed = renewed
        self._buffered = buffered
        self._loop = asyncio.get_running_loop()
        self._cut = cut
        self._refused = refused
        self._queue: deque[Letter] = deque()
        self._connection: Connection | None = None
        self._connections = 0
        self._pause = FIRST_PAUSE
        self._timer: asyncio.TimerHandle | None = None
        self._dial()

    def __len__(self) -> int:
        return len(self._queue)

    def send(self, *parts: Bytes) -> None:
        """Send a message of these bytes, at once if there is room for it."""
        size = sum(map(len, parts))
        if self._queue or self._connection is None or size > SMALL:
            self._post(Letter([LENGTH.pack(size), *parts]))
        else:
            self._send_small(self._connection.socket, b"".join((LENGTH.pack(size), *parts)))

    def _send_small(self, connected: socket.socket, data: bytes) -> None:
        """Send a message for which nothing waits; what the kernel does not take now is queued."""
        try:
            sent = connected.send(data)
        except OSError:  # what is wrong will be seen again when the rest is sent
            sent = 0
        if sent < len(data):
            self._queue.append(Letter([memoryview(data)[sent:]], begun=sent > 0))
            self._flush()

    def send_bound(self, *messages: Bytes, regions: Sequence[Shared] = ()) -> None:
        """Send messages that are of no use over another connection, and pass memory with them."""
        parts = [part for each in messages for part in (LENGTH.pack(len(each)), each)]
        self._post(Letter(parts, regions, bound=True))

    def _post(self, letter: Letter) -> None:
        self._queue.append(letter)
        if len(self._queue) == 1 and self._connection is not None:
            self._flush()

    def _flush(self) -> None:
        """Send what the kernel takes, and be told when it takes more."""
        assert self._connection is not None
        connection, queue, budget = self._connection, self._queue, TURN_BYTES
        try:
            while queue and budget > 0:
                letter = queue[0]
                sent = connection.socket.sendmsg(letter.parts, _rights(letter.regions))
                letter.regions = ()
                budget -= sent
                self._went(sent)
        except BlockingIOError:
            pass
        except OSError:
            with suppress(BlockingIOError):
                self._listen()
            self._lost()
            return
        connection.wait_for_room(bool(queue))

    def _went(self, sent: int) -> None:
        """Take out of the first message what has gone, and the message when all has."""
        letter = self._queue[0]
        take_away(letter.parts, sent)
        letter.begun = True
        if not letter.parts:
            self._queue.popleft()

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
        self._connection = Connection(dialled, self._heard, self._flush)
        self._pause = FIRST_PAUSE
        self._connections += 1
        if self._connections > 1:
            self._renewed()
        if self._queue and self._connection is not None:
            self._connection.wait_for_room(True)

    def _heard(self) -> None:
        """Notice an end: nothing but a refusal ever comes before it."""
        with suppress(BlockingIOError):
            self._listen()
            self._lost()

    def _listen(self) -> None:
        assert self._connection is not None
        with suppress(ConnectionError):
            what = self._connection.socket.recv(1)
            if what in {ALL_REFUSED, GPU_REFUSED}:
                self._refused(what)

    def _lost(self) -> None:
        self._hang_up()
        self._queue = deque(each for each in self._queue if not (each.bound or each.begun))
        self._cut()
        self._dial_later()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Let go of the connection; what the kernel has taken still arrives."""
        if self._timer is not None:
            self._timer.cancel()
        self._hang_up()
        self._queue.clear()


def _rights(regions: Sequence[Shared]) -> list[Any]:
    """Return what has the kernel pass memory along with the first byte of a message."""
    if not regions:
        return []
    descriptors = array("i", [region.fd for region in regions])
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
