"""ZeroMQ as transport: a DEALER for each peer, a ROUTER for all, control apart from bulk.

Each process listens on two ROUTER sockets and speaks to each peer through two DEALER sockets, so
a connection has one direction, and nothing is ever sent through a ROUTER, which may drop silently.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import zmq
from zmq.utils.monitor import parse_monitor_message

from tether.actors.pump import Intake, Outlet
from tether.actors.transport import Receiver

MAX_FRAME = 16 << 20
"""Bytes beyond which ZeroMQ cuts a peer off: no frame of ours exceeds 8 MiB."""
CONTROL_HWM = 1000
BULK_HWM = 4
"""Chunks of 1 MiB that ZeroMQ may hold for a peer: it counts messages, not bytes."""

log = logging.getLogger("tether")


class Speaker:
    """A socket through which one other process is spoken to, and the monitor of its connection."""

    def __init__(
        self, pump: Outlet, events: zmq.Socket[bytes], renewed: Callable[[], None]
    ) -> None:
        self.pump = pump
        self._renewed = renewed
        self._connections = 0
        self._monitor = Intake(events, self._observe)

    def _observe(self, parts: list[bytes]) -> None:
        """Follow the connection: with a broken one, what was under way may be lost."""
        event = parse_monitor_message(parts)["event"]
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._connections += 1
            if self._connections > 1:
                self._renewed()

    def close(self, linger: float) -> None:
        """Let go of the socket and its monitor."""
        if not self.pump.socket.closed:
            self.pump.socket.disable_monitor()
        self._monitor.close(0)
        self.pump.close(linger)


class Peer:
    """The two sockets to one other process: control never waits behind bulk."""

    def __init__(self, control: Speaker, bulk: Speaker) -> None:
        self.control = control
        self.bulk = bulk

    @property
    def queued(self) -> int:
        """How many messages ZeroMQ has not taken yet."""
        return len(self.control.pump) + len(self.bulk.pump)

    def close(self, linger: float) -> None:
        """Close both."""
        self.control.close(linger)
        self.bulk.close(linger)


class ZeroMQ:
    """The network of one process: `addresses` gives each process's control and bulk endpoint."""

    resend_after: float | None = None
    """ZeroMQ loses messages only with a connection, and its monitor tells when a new one stands."""
    shares = False

    def __init__(
        self,
        process: str,
        incarnation: int,
        addresses: Mapping[str, tuple[str, str]],
        *,
        heartbeat: float = 1.0,
        unreachable: float = 5.0,
    ) -> None:
        self.process = process
        self.addresses = dict(addresses)
        self.foreign = 0
        self._closed = False
        self._identity = f"{process}/{incarnation}".encode()
        self._heartbeat = round(heartbeat * 1000)
        self._timeout = round(unreachable * 1000)
        self._context = zmq.Context()
        self._peers: dict[str, Peer] = {}
        self._listeners: list[Intake] = []
        self._receiver: Receiver | None = None

    async def start(self, receiver: Receiver) -> None:
        """Listen on this process's own two endpoints."""
        self._receiver = receiver
        control, bulk = self.addresses[self.process]
        self._listeners = [
            Intake(self._listener(control, CONTROL_HWM), self._take_frame),
            Intake(self._listener(bulk, BULK_HWM), self._take_chunk, copy=False),
        ]

    def _listener(self, address: str, hwm: int) -> zmq.Socket[bytes]:
        socket = self._socket(zmq.ROUTER, hwm, address)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        socket.bind(address)
        return socket

    def _socket(self, kind: int, hwm: int, address: str) -> zmq.Socket[bytes]:
        # A beat that is due when a peer has died whose messages fill the socket fails an assertion
        # of ZeroMQ's, which aborts the process. On one host the kernel tells of deaths anyway.
        beats = not address.startswith("ipc://")
        socket = self._context.socket(kind)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, hwm),
            (zmq.RCVHWM, hwm),
            (zmq.MAXMSGSIZE, MAX_FRAME),
            (zmq.HEARTBEAT_IVL, self._heartbeat if beats else 0),
            (zmq.HEARTBEAT_TIMEOUT, self._timeout),
            (zmq.HEARTBEAT_TTL, self._timeout),
            (zmq.HANDSHAKE_IVL, self._timeout),
            (zmq.RECONNECT_IVL, 20),
            (zmq.RECONNECT_IVL_MAX, 1000),
            (zmq.TCP_KEEPALIVE, 1),
        ):
            socket.setsockopt(option, value)
        return socket

    def _peer(self, process: str) -> Peer:
        peer = self._peers.get(process)
        if peer is None:
            control, bulk = self.addresses[process]
            peer = self._peers[process] = Peer(
                self._speaker(process, control, CONTROL_HWM), self._speaker(process, bulk, BULK_HWM)
            )
        return peer

    def _speaker(self, process: str, address: str, hwm: int) -> Speaker:
        socket = self._socket(zmq.DEALER, hwm, address)
        socket.setsockopt(zmq.IDENTITY, self._identity)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        events = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        socket.connect(address)
        return Speaker(Outlet(socket), events, lambda: self._renewed(process))

    def _renewed(self, process: str) -> None:
        log.info("%s: the connection to %s was renewed", self.process, process)
        if self._receiver is not None:
            self._receiver.connected(process)

    def send(self, process: str, frame: bytes) -> None:
        """Queue a frame of control for a process; once closed, nothing is sent any more."""
        if not self._closed:
            self._peer(process).control.pump.send(frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        """Queue a chunk for a process; it is copied when ZeroMQ has room for it."""
        if not self._closed:
            self._peer(process).bulk.pump.send(header, data)

    def loans(self, process: str) -> None:
        """Lend nothing: its processes may be on other hosts."""

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        """Forget the connection to a process that was started anew, maybe elsewhere."""
        if addresses is not None:
            self.addresses[process] = addresses
        peer = self._peers.pop(process, None)
        if peer is not None:
            peer.close(0)

    def _take_frame(self, parts: list[bytes]) -> None:
        if len(parts) != 2 or self._receiver is None:
            self._refuse(len(parts))
            return
        self._receiver.frame(parts[1])

    def _take_chunk(self, parts: list[memoryview]) -> None:
        if len(parts) != 3 or self._receiver is None:
            self._refuse(len(parts))
            return
        self._receiver.chunk(bytes(parts[1]), parts[2])

    def _refuse(self, frames: int) -> None:
        """Count a message that has not the shape of any of ours."""
        self.foreign += 1
        log.warning("%s: a message of %d frames was refused", self.process, frames)

    async def close(self, linger: float) -> None:
        """Give what is queued `linger` seconds to leave, then end; remove our own socket files."""
        loop = asyncio.get_running_loop()
        end = loop.time() + linger
        while self._queued() and loop.time() < end:  # noqa: ASYNC110 - sockets set no Event
            await asyncio.sleep(0.005)
        self._closed = True
        for peer in self._peers.values():
            peer.close(linger)
        self._peers.clear()
        for listener in self._listeners:
            listener.close(0)
        self._context.term()
        self._remove_files()

    def _queued(self) -> bool:
        return any(peer.queued for peer in self._peers.values())

    def _remove_files(self) -> None:
        for address in self.addresses[self.process]:
            if address.startswith("ipc://"):
                Path(address.removeprefix("ipc://")).unlink(missing_ok=True)
