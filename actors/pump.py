"""A ZeroMQ socket on an event loop: edge-triggered, with a budget for each turn.

`zmq.asyncio` is not used: its `while True: await recv()` never yields while messages are there, so
that a flood starves timers and all other actors.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import zmq

Parts = tuple[Any, ...]

TURN_MESSAGES = 64
TURN_BYTES = 8 << 20
"""What one turn of the loop moves at most, so that everything else gets its turn too."""


class Pump:
    """Moves messages between a socket and callbacks, as fast as the loop lets it.

    The socket's file descriptor signals only changes, and any send or receive may swallow one, so
    after each of them the socket's events are looked at again.
    """

    def __init__(self, socket: zmq.Socket[bytes], take: Callable[[list[zmq.Frame]], None]) -> None:
        self.socket = socket
        self._take = take
        self._queue: deque[Parts] = deque()
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._loop.add_reader(_number(socket, zmq.FD), self._turn)
        self._schedule()

    def __len__(self) -> int:
        return len(self._queue)

    def send(self, *parts: bytes | memoryview) -> None:
        """Queue a message of one or more frames; small ones leave at once if they can."""
        if self._queue or not self._sent(parts):
            self._queue.append(parts)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Send and receive what fits in this turn; come back at once if something is left."""
        self._scheduled = False
        if self.socket.closed:
            return
        left = self._send_some()
        left = self._receive_some() or left
        if left or self._ready():
            self._schedule()

    def _ready(self) -> bool:
        events = _number(self.socket, zmq.EVENTS)
        return bool(events & zmq.POLLIN) or bool(self._queue and events & zmq.POLLOUT)

    def _send_some(self) -> bool:
        """Send queued messages; tell whether the budget ended before the queue or the room did."""
        budget = TURN_BYTES
        while self._queue:
            parts = self._queue[0]
            if not self._sent(parts):
                return False
            self._queue.popleft()
            budget -= sum(map(len, parts))
            if budget <= 0:
                return bool(self._queue)
        return False

    def _sent(self, parts: Parts) -> bool:
        try:
            self.socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _receive_some(self) -> bool:
        """Receive and hand on; tell whether the budget ended before the messages did."""
        budget = TURN_BYTES
        for _ in range(TURN_MESSAGES):
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return False
            self._take(parts)
            budget -= sum(map(len, parts))
            if budget <= 0 or self.socket.closed:
                break
        return not self.socket.closed

    def close(self, linger: float) -> None:
        """Let go of the socket; what it has taken may leave for `linger` seconds more."""
        if not self.socket.closed:
            self._loop.remove_reader(_number(self.socket, zmq.FD))
            self.socket.close(linger=round(linger * 1000))


def _number(socket: zmq.Socket[bytes], option: int) -> int:
    return int(socket.getsockopt(option))
