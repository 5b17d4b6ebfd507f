"""The socket through which one other process is spoken to, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import zmq
from zmq.utils.monitor import parse_monitor_message

from tether.actors.pump import Intake, Outlet
from tether.actors.refusals import FAILED
from tether.actors.upload import Upload

SUCCEEDED = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
DISCONNECTED = int(zmq.EVENT_DISCONNECTED)
RETRIED = int(zmq.EVENT_CONNECT_RETRIED)
FOLLOWED = SUCCEEDED | FAILED | DISCONNECTED | RETRIED
AGAIN = 1.0
"""Seconds after which a connection is made anew that ZeroMQ itself has given up."""


class Monitor:
    """Hands on what happens to a socket's connections: which event, and its value."""

    def __init__(
        self, socket: zmq.Socket[bytes], events: int, take: Callable[[int, int], None]
    ) -> None:
        self._socket = socket
        self._take = take
        self._intake = Intake(socket.get_monitor_socket(events), self._observe)

    def _observe(self, parts: list[bytes]) -> None:
        told = parse_monitor_message(parts)
        self._take(int(told["event"]), int(told["value"]))

    def close(self) -> None:
        """Look no further; to be called before the socket is closed."""
        if not self._socket.closed:
            self._socket.disable_monitor()
        self._intake.close(0)


class Speaker:
    """A socket to another process. `made` hears of each connection, and whether it is the first."""

    def __init__(
        self,
        pump: Outlet,
        address: str,
        made: Callable[[bool], None],
        failed: Callable[[int, int], None],
    ) -> None:
        self.pump = pump
        self._address = address
        self._made = made
        self._failed = failed
        self._connections = 0
        self._again: asyncio.TimerHandle | None = None
        self._connected = False
        self._monitor = Monitor(pump.socket, FOLLOWED, self._observe)

    def connect(self) -> None:
        """Connect, once and for all: a broken connection is made anew without being asked."""
        if not self._connected:
            self._connected = True
            self.pump.socket.connect(self._address)

    def _observe(self, event: int, value: int) -> None:
        """Follow the connection: with a broken one, what was under way may be lost."""
        if event == SUCCEEDED:
            self._connections += 1
            self._made(self._connections == 1)
        elif event & FAILED:
            self._failed(event, value)
        elif event == DISCONNECTED:
            # After an error of the protocol, or a refusal, ZeroMQ never tries again.
            self._wait(asyncio.get_running_loop().call_later(AGAIN, self._reconnect))
        elif event == RETRIED:
            self._wait(None)

    def _wait(self, timer: asyncio.TimerHandle | None) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = timer

    def _reconnect(self) -> None:
        self._again = None
        if not self.pump.socket.closed:
            with suppress(zmq.ZMQError):  # of what has ended, there may be nothing left to end
                self.pump.socket.disconnect(self._address)
            self.pump.socket.connect(self._address)

    def close(self, linger: float) -> None:
        """Let go of the socket and its monitor."""
        self._wait(None)
        self._monitor.close()
        self.pump.close(linger)


class Peer:
    """The two connections to one other process: control never waits behind bulk."""

    def __init__(self, control: Speaker, bulk: Upload) -> None:
        self.control = control
        self.bulk = bulk

    @property
    def queued(self) -> int:
        """How many messages have not been taken yet."""
        return len(self.control.pump) + len(self.bulk)

    def close(self, linger: float) -> None:
        """Close both."""
        self.control.close(linger)
        self.bulk.close()
