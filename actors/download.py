"""What comes in over one connection of bulk: chunks, each received straight to where it belongs."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tether.actors.bulk import (
    DATA_BYTES,
    HEADER_BYTES,
    HELLO,
    RECORD,
    TURN_BYTES,
    Hello,
    unpack_hello,
    unpack_record,
)
from tether.actors.connection import Connection
from tether.actors.landing import Berth, Landing
from tether.actors.sealing import Opener, Refused, envelope

NOTHING = memoryview(bytearray())
Admit = Callable[["Download", Hello], Opener | None]
"""Returns what opens the chunks of a connection, None if they are open; raises Refused."""


class Download:
    """Reads a connection that was accepted, once its hello is `admitted`.

    `refuse` hears what could not be taken in; what ends the connection is told to `ended`.
    """

    def __init__(
        self,
        accepted: socket.socket,
        landing: Landing,
        admit: Admit,
        refuse: Callable[[Download, ValueError], None],
        ended: Callable[[Download], None],
    ) -> None:
        self.process = ""
        self.epoch = -1
        self._landing = landing
        self._admit = admit
        self._refuse = refuse
        self._ended = ended
        self._opener: Opener | None = None
        self._lead = memoryview(bytearray(RECORD.size + HEADER_BYTES))
        self._start = self._end = 0
        self._spare = NOTHING
        self._opened = NOTHING
        self._head: bytes | None = None
        self._room = self._rest = NOTHING
        self._berth: Berth | None = None
        self._connection = Connection(accepted, self._read)

    @property
    def closed(self) -> bool:
        """Whether nothing is read any more."""
        return self._connection.closed

    def _read(self) -> None:
        """Take in what is there, up to a turn's worth; the loop calls again for more."""
        budget = TURN_BYTES
        while budget > 0 and not self.closed:
            rooms = [self._rest[:budget]]
            if len(self._rest) <= budget:
                rooms.append(self._lead[self._end :])
            received = self._connection.receive(rooms)
            if received is None:
                return
            came = received[0]
            if not came:
                self.close()
                return
            budget -= came
            full = came == sum(map(len, rooms))
            self._took(came)
            if not full:  # nothing more is there
                return

    def _took(self, came: int) -> None:
        """Hand on what is whole; what was received beyond the chunk begins the next."""
        direct = min(came, len(self._rest))
        self._rest = self._rest[direct:]
        self._end += came - direct
        try:
            if self._head is not None and not self._rest:
                self._finish()
            while not self.closed and self._head is None and self._step():
                pass
        except ValueError as error:
            self._refuse(self, error)
            self.close()
        left = self._end - self._start
        self._lead[:left] = self._lead[self._start : self._end]
        self._start, self._end = 0, left

    def _step(self) -> bool:
        """Take in the hello, or begin a chunk, if enough of it is there; tell whether it was."""
        left = self._end - self._start
        if not self.process:
            if left < HELLO.size:
                return False
            self._start += HELLO.size
            hello = unpack_hello(self._lead[self._start - HELLO.size : self._start])
            self._opener = self._admit(self, hello)
            return True
        if left < RECORD.size:
            return False
        header, size = unpack_record(self._lead, self._start)
        if left < RECORD.size + header:
            return False
        self._start += RECORD.size + header
        self._begin(bytes(self._lead[self._start - header : self._start]), size)
        return True

    def _begin(self, head: bytes, size: int) -> None:
        """Find room for a chunk, and put there what has come of it already."""
        self._head = head
        self._berth = None if self._opener is not None else self._landing.find(head, size)
        self._room = self._spared(size) if self._berth is None else self._berth.room
        here = min(size, self._end - self._start)
        self._room[:here] = self._lead[self._start : self._start + here]
        self._start += here
        self._rest = self._room[here:]
        if not self._rest:
            self._finish()

    def _spared(self, size: int) -> memoryview:
        if not self._spare:
            self._spare = memoryview(bytearray(DATA_BYTES))
        return self._spare[:size]

    def _finish(self) -> None:
        head, room, berth = self._head, self._room, self._berth
        assert head is not None
        self._head = self._berth = None
        self._room = self._rest = NOTHING
        if self._opener is None:
            self._landing.take(head, room, berth)
            return
        try:
            number = envelope(head).number
            header, data = self._opener.open(number, head, room, self._into)
        except Refused as error:
            if error.lost:
                raise
            self._refuse(self, error)
            return
        self._landing.take(header, data, self._berth)
        self._berth = None

    def _into(self, header: bytes, size: int) -> memoryview:
        """Return where a chunk is to be opened."""
        self._berth = self._landing.find(header, size)
        if self._berth is not None:
            return self._berth.room
        if not self._opened:
            self._opened = memoryview(bytearray(DATA_BYTES))
        return self._opened[:size]

    def close(self) -> None:
        """Let go of the connection; of a chunk that has come in part nothing was counted."""
        if not self.closed:
            self._connection.close()
            self._ended(self)
