"""The connection of bulk to one other process: chunks in order, as fast as they are taken."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from functools import partial

from tether.actors.bulk import RECORD, TURN_BYTES, pack_hello, tune
from tether.actors.connection import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Bytes,
    Connection,
    take_away,
)
from tether.actors.endpoint import dialled
from tether.actors.sealing import TAG, Sealer, epoch_of, new_key


class Upload:
    """Dials a process under a key that it has accepted, and again, under another, after a break.

    `begin` is to offer the key, which `change` draws; `made` hears of each connection, and whether
    it is the first; `failed` why none could be made. With a broken one all is forgotten that was
    queued, for everything is sent again then. `sealed` says whether what goes out is sealed.
    """

    def __init__(
        self,
        address: str,
        timeout: float,
        begin: Callable[[Upload], None],
        made: Callable[[bool], None],
        failed: Callable[[str], None],
        *,
        sealed: bool,
    ) -> None:
        self.key = b""
        self.epoch = -1
        self._address = address
        self._timeout = timeout
        self._begin = begin
        self._made = made
        self._failed = failed
        self._seals = sealed
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[Bytes, Bytes]] = deque()
        self._parts: list[Bytes] = []
        self._sealer: Sealer | None = None
        self._memory = memoryview(b"")
        self._connection: Connection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pause = FIRST_PAUSE
        self._since = 0.0
        self._connections = 0
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._queue) + bool(self._parts)

    @property
    def waits(self) -> bool:
        """Whether the other side has still to say that it knows the key."""
        return bool(self.key) and self._connection is None and self._dialling is None

    def begin(self) -> None:
        """Offer a key for the first connection, if none was offered yet."""
        if not self.key:
            self._begin(self)

    def change(self) -> None:
        """Draw a new key; nothing leaves until it is `accepted`."""
        self._hang_up()
        self.key = new_key()
        self.epoch = epoch_of(self.key)

    def accepted(self, epoch: int) -> None:
        """Hear which key the other side knows, and dial; one from before says nothing."""
        if epoch == self.epoch and self.waits and self._timer is None:
            self._dialling = self._loop.create_task(self._dial())

    async def _dial(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                made = await dialled(self._address, self._timeout)
                break
            except OSError as error:
                self._failed(f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        self._dialling = None
        self._connected(made)

    def _connected(self, made: socket.socket) -> None:
        tune(made, self._timeout)
        self._connection = Connection(made, self._heard, self._flush)
        self._since = self._loop.time()
        self._sealer = Sealer(self.key) if self._seals else None
        self._parts = [pack_hello(self.epoch, self.key)]
        self._connections += 1
        first = self._connections == 1
        if not first:
            self._queue.clear()
        self._flush()
        self._made(first)

    def send(self, header: bytes, data: Bytes) -> None:
        """Send a chunk, from the next turn of the loop on: what it belongs to goes ahead."""
        self._queue.append((header, data))
        if self._scheduled or self._connection is None or self._connection.blocked:
            return
        self._scheduled = True
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what the kernel takes, and be told when it takes more."""
        self._scheduled = False
        connection, budget = self._connection, TURN_BYTES
        if connection is None:
            return
        try:
            while budget > 0 and (self._parts or self._prepared()):
                sent = connection.socket.sendmsg([part[:budget] for part in self._parts])
                budget -= sent
                take_away(self._parts, sent)
        except BlockingIOError:
            pass
        except OSError:
            self._lost()
            return
        connection.wait_for_room(bool(self._parts or self._queue))

    def _prepared(self) -> bool:
        """Make the next chunk ready to leave; tell whether there is one."""
        if not self._queue:
            return False
        head, body = self._queue.popleft()
        if self._sealer is not None:
            room = self._room(len(body) + TAG)
            head, body = self._sealer.seal(bytes(head), memoryview(body), room)
        self._parts = [RECORD.pack(len(head), len(body)) + head, body]
        return True

    def _room(self, size: int) -> memoryview:
        """Return memory for a sealed chunk; the last one has gone by now."""
        if len(self._memory) < size:
            self._memory = memoryview(bytearray(size))
        return self._memory

    def _heard(self) -> None:
        """Notice an end: nothing ever comes before it."""
        assert self._connection is not None
        try:
            self._connection.socket.recv(1)
        except BlockingIOError:
            return
        except OSError:
            pass
        self._lost()

    def _lost(self) -> None:
        """Begin anew with another key, the later the sooner the last connection has ended."""
        lasted = self._loop.time() - self._since >= LONGEST_PAUSE
        self._pause = FIRST_PAUSE if lasted else min(2 * self._pause, LONGEST_PAUSE)
        self.reset(self._pause)

    def reset(self, pause: float = FIRST_PAUSE) -> None:
        """Give the connection up; a new key is offered in so many seconds."""
        self._hang_up()
        self._timer = self._loop.call_later(pause, partial(self._begin, self))

    def _hang_up(self) -> None:
        for waiting in (self._timer, self._dialling):
            if waiting is not None:
                waiting.cancel()
        self._timer = self._dialling = None
        self._parts = []
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Let go of the connection; what the kernel has taken still arrives."""
        self._hang_up()
        self._queue.clear()
