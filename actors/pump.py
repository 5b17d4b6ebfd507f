"""ZeroMQ sockets on an event loop: edge-triggered, with a budget for each turn.

`zmq.asyncio` is not used: its `while True: await recv()` never yields while messages are there, so
that a flood starves timers and all other actors.

A socket's file descriptor signals only changes, and any call on the socket may swallow one. So
sockets here go one way, and a turn ends only when the socket has said that there is no more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import zmq

Parts = tuple[bytes | memoryview, ...]

# As plain numbers: arithmetic on pyzmq's enumerations costs as much as a small send.
NOBLOCK = int(zmq.NOBLOCK)
NOBLOCK_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
POLLIN = int(zmq.POLLIN)
POLLOUT = int(zmq.POLLOUT)
EVENTS = int(zmq.EVENTS)
RCVMORE = int(zmq.RCVMORE)

TURN_MESSAGES = 64
TURN_BYTES = 8 << 20
"""What one turn of the loop moves at most, so that everything else gets its turn too."""


class Pump:
    """A socket whose turn comes when something has changed, or when it was not done."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._loop = asyncio.get_running_loop()
        self._fd = int(socket.getsockopt(zmq.FD))
        self._scheduled = False
        self._loop.add_reader(self._fd, self._turn)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        left = True
        try:
            left = not self.socket.closed and self._move()
        finally:  # whatever was raised, the socket must not wait for a change that came already
            if left and not self.socket.closed:
                self._schedule()

    def _move(self) -> bool:
        """Move what fits in a turn; tell whether something is left."""
        return False

    def close(self, linger: float) -> None:
        """Let go of the socket; what it has taken may leave for `linger` seconds more."""
        if not self.socket.closed:
            self._loop.remove_reader(self._fd)
            self.socket.close(linger=round(linger * 1000))


class Outlet(Pump):
    """Sends through a socket as fast as it takes things, and keeps the rest in order."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        super().__init__(socket)
        self._queue: deque[Parts] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def send(self, *parts: bytes | memoryview) -> None:
        """Send a message of one or more frames, at once if the socket has room."""
        if self._queue:
            self._queue.append(parts)
        elif not self._sent(parts):
            self._queue.append(parts)
            self._schedule()  # the attempt itself may have swallowed the signal of room

    def _move(self) -> bool:
        budget = TURN_BYTES
        while self._queue and budget > 0:
            if not self._sent(self._queue[0]):
                break
            budget -= sum(map(len, self._queue.popleft()))
        # Looking takes the signal in: a descriptor left readable would have the loop spin.
        events = int(self.socket.getsockopt(EVENTS))
        return bool(self._queue and events & POLLOUT)

    def _sent(self, parts: Parts) -> bool:
        *heads, last = parts
        try:
            for head in heads:
                self.socket.send(head, NOBLOCK_MORE)
            self.socket.send(last, NOBLOCK)
        except zmq.Again:  # ZeroMQ takes a message whole, or forgets what it had of it
            return False
        return True


class Intake(Pump):
    """Hands on what comes through a socket, a list of frames a message.

    With `copy` off, frames from the second on are views of ZeroMQ's own memory.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        take: Callable[[list[Any]], None],
        *,
        copy: bool = True,
    ) -> None:
        super().__init__(socket)
        self._take = take
        self._copy = copy
        self._schedule()

    def _move(self) -> bool:
        socket, budget = self.socket, TURN_BYTES
        for _ in range(TURN_MESSAGES):
            # Asking first costs a fifth of the exception that receiving nothing raises.
            if not int(socket.getsockopt(EVENTS)) & POLLIN:
                return False
            frames = self._received()
            budget -= sum(map(len, frames))
            self._take(frames)
            if socket.closed:
                return False
            if budget <= 0:
                break
        return True

    def _received(self) -> list[Any]:
        socket = self.socket
        frames: list[Any] = [socket.recv(NOBLOCK)]
        while socket.getsockopt(RCVMORE):
            frames.append(
                socket.recv(NOBLOCK) if self._copy else socket.recv(NOBLOCK, copy=False).buffer
            )
        return frames
