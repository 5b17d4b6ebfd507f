"""Unix sockets as transport between processes of one host: no thread lies between two loops.

Each process listens on two paths, and dials two of each peer: control never waits behind bulk. A
connection has one direction. The folder of the paths is its owner's alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tether.actors.inflow import Inflow
from tether.actors.outflow import Outflow
from tether.actors.transport import Receiver

SCHEME = "unix://"
BACKLOG = 128
CHUNK_ROOM = (1 << 20) + (1 << 16)
"""Bytes that are read at once of bulk: a chunk, with its header."""
CREDENTIALS = struct.Struct("3i")
HEADER = struct.Struct("<H")

log = logging.getLogger("tether")


class Listener:
    """Accepts the connections of peers at a path."""

    def __init__(self, path: str, accepted: Callable[[socket.socket], None]) -> None:
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._path = Path(path)
        self._path.unlink(missing_ok=True)  # of one who was killed
        self._socket.bind(path)
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            accepted, _ = self._socket.accept()
        except OSError:  # who dialled has gone again
            return
        self._accepted(accepted)

    def close(self) -> None:
        """Accept nobody any more."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._path.unlink(missing_ok=True)


class Peer:
    """The two connections to one other process."""

    def __init__(self, control: Outflow, bulk: Outflow) -> None:
        self.control = control
        self.bulk = bulk

    def __len__(self) -> int:
        return len(self.control) + len(self.bulk)

    def close(self) -> None:
        """Close both."""
        self.control.close()
        self.bulk.close()


class Unix:
    """The network of one process: `addresses` gives each process's control and bulk endpoint."""

    resend_after: float | None = None
    """Only a broken connection loses anything."""

    def __init__(
        self, process: str, incarnation: int, addresses: Mapping[str, tuple[str, str]]
    ) -> None:
        self.process = process
        self.addresses = dict(addresses)
        self.foreign = 0
        self._hello = f"{process}/{incarnation}".encode()
        self._peers: dict[str, Peer] = {}
        self._listeners: list[Listener] = []
        self._inflows: set[Inflow] = set()
        self._receiver: Receiver | None = None
        self._closed = False

    async def start(self, receiver: Receiver) -> None:
        """Listen on this process's own two endpoints."""
        self._receiver = receiver
        control, bulk = map(path_of, self.addresses[self.process])
        self._listeners = [
            Listener(control, partial(self._accept, self._take_frame, 1 << 18)),
            Listener(bulk, partial(self._accept, self._take_chunk, CHUNK_ROOM)),
        ]

    def _accept(
        self, take: Callable[[memoryview], None], room: int, accepted: socket.socket
    ) -> None:
        user = _user(accepted)
        if user != os.getuid():
            self._refuse(f"a connection of user {user} came, who is another")
            accepted.close()
            return
        self._inflows.add(Inflow(accepted, take, self._refuse, self._inflows.discard, room))

    def _take_frame(self, message: memoryview) -> None:
        assert self._receiver is not None
        self._receiver.frame(bytes(message))

    def _take_chunk(self, message: memoryview) -> None:
        assert self._receiver is not None
        size = HEADER.unpack_from(message)[0] + HEADER.size if len(message) >= HEADER.size else 0
        if not HEADER.size < size < len(message):
            self._refuse(f"a chunk of {len(message)} bytes came without its header")
            return
        self._receiver.chunk(bytes(message[HEADER.size : size]), message[size:])

    def _refuse(self, why: str) -> None:
        """Count what has not the shape of anything of ours."""
        self.foreign += 1
        log.warning("%s: %s", self.process, why)

    def _peer(self, process: str) -> Peer:
        peer = self._peers.get(process)
        if peer is None:
            control, bulk = map(path_of, self.addresses[process])
            renewed = partial(self._renewed, process)
            peer = self._peers[process] = Peer(
                Outflow(control, self._hello, renewed), Outflow(bulk, self._hello, renewed)
            )
        return peer

    def _renewed(self, process: str) -> None:
        log.info("%s: the connection to %s was renewed", self.process, process)
        if self._receiver is not None:
            self._receiver.connected(process)

    def send(self, process: str, frame: bytes) -> None:
        """Send a frame of control to a process; once closed, nothing is sent any more."""
        if not self._closed:
            self._peer(process).control.send(frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        """Send a chunk to a process; it is copied when the kernel has room for it."""
        if not self._closed:
            self._peer(process).bulk.send(HEADER.pack(len(header)) + header, data)

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        """Forget the connections to a process that was started anew, maybe elsewhere."""
        if addresses is not None:
            self.addresses[process] = addresses
        peer = self._peers.pop(process, None)
        if peer is not None:
            peer.close()

    async def close(self, linger: float) -> None:
        """Give what is queued `linger` seconds to leave, then end; remove our own socket files."""
        loop = asyncio.get_running_loop()
        end = loop.time() + linger
        while any(map(len, self._peers.values())) and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        self._closed = True
        for peer in self._peers.values():
            peer.close()
        self._peers.clear()
        for inflow in list(self._inflows):
            inflow.close()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()


def path_of(address: str) -> str:
    """Return the path of an endpoint; raises ValueError when it is none of this host."""
    if not address.startswith(SCHEME):
        raise ValueError(f"{address} is no Unix socket, but an address as unix:///a/path is wanted")
    return address.removeprefix(SCHEME)


def _user(accepted: socket.socket) -> int:
    raw = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return int(CREDENTIALS.unpack(raw)[1])
