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

import msgpack

from tether.actors.control import NEWS, Control
from tether.actors.inflow import Inflow
from tether.actors.loans import Lending, Loans
from tether.actors.outflow import Outflow
from tether.actors.spin import Spin
from tether.actors.transport import Receiver

SCHEME = "unix://"
BACKLOG = 128
CHUNK_ROOM = (1 << 20) + (1 << 16)
"""Bytes that are read at once of bulk: a chunk, with its header."""
CONTROL_ROOM = 1 << 20
"""Bytes of frames that the kernel takes before the other reads: all that a turn has to say."""
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
    """The two connections to one other process, and what it is lent."""

    def __init__(self, process: str, addresses: tuple[str, str], unix: Unix) -> None:
        control, bulk = map(path_of, addresses)
        self.lending = Lending()
        self._process = process
        self._unix = unix
        self.control = Outflow(
            control,
            unix.hello,
            self._renewed,
            CONTROL_ROOM,
            cut=self.lending.cut,
            refused=self.lending.refuse,
        )
        self.bulk = Outflow(bulk, unix.hello, partial(unix.renewed, process))

    def _renewed(self) -> None:
        self.lending.renewed()
        self._unix.renewed(self._process)

    def send(self, frame: bytes) -> None:
        """Send a frame, after the news of what it lends."""
        loans = self.lending.current
        if loans is None:
            self.control.send(frame)
            return
        news = loans.news()
        if news is not None:
            told = NEWS + msgpack.packb([news.board, news.plans, news.gone])
            self.control.send_bound(told, frame, regions=news.regions)
        elif loans.used:
            self.control.send_bound(frame)
        else:
            self.control.send(frame)
        loans.used = False

    def __len__(self) -> int:
        return len(self.control) + len(self.bulk)

    def close(self) -> None:
        """Close both."""
        self.control.close()
        self.bulk.close()


class Unix:
    """The network of one process: `addresses` gives each process's control and bulk endpoint.

    Its event loop stays awake for `spin` seconds after each frame that came or went.
    """

    resend_after: float | None = None
    """Only a broken connection loses anything."""
    shares = True

    def __init__(
        self,
        process: str,
        incarnation: int,
        addresses: Mapping[str, tuple[str, str]],
        spin: float = 0.0,
    ) -> None:
        self.process = process
        self.addresses = dict(addresses)
        self.foreign = 0
        self.hello = f"{process}/{incarnation}".encode()
        self._peers: dict[str, Peer] = {}
        self._listeners: list[Listener] = []
        self._inflows: set[Inflow | Control] = set()
        self._receiver: Receiver | None = None
        self._closed = False
        self._spin = Spin(spin)

    async def start(self, receiver: Receiver) -> None:
        """Listen on this process's own two endpoints."""
        self._receiver = receiver
        control, bulk = map(path_of, self.addresses[self.process])
        self._listeners = [
            Listener(control, self._accept_control),
            Listener(bulk, self._accept_bulk),
        ]

    def _accept_control(self, accepted: socket.socket) -> None:
        assert self._receiver is not None
        if self._ours(accepted):
            ended, moved = self._inflows.discard, self._spin.heard
            self._inflows.add(Control(accepted, self._receiver, self._refuse, ended, moved))

    def _accept_bulk(self, accepted: socket.socket) -> None:
        if self._ours(accepted):
            ended = self._inflows.discard
            self._inflows.add(Inflow(accepted, self._take_chunk, self._refuse, ended, CHUNK_ROOM))

    def _ours(self, accepted: socket.socket) -> bool:
        """Tell whether who connects is of the same user; hang up if not."""
        user = _user(accepted)
        if user != os.getuid():
            self._refuse(f"a connection of user {user} came, who is another")
            accepted.close()
        return user == os.getuid()

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
            peer = self._peers[process] = Peer(process, self.addresses[process], self)
        return peer

    def renewed(self, process: str) -> None:
        """Have all said again to a process that may not have come over."""
        log.info("%s: the connection to %s was renewed", self.process, process)
        if self._receiver is not None:
            self._receiver.connected(process)

    def send(self, process: str, frame: bytes) -> None:
        """Send a frame of control to a process; once closed, nothing is sent any more."""
        if not self._closed:
            self._peer(process).send(frame)
            self._spin.moved()

    def loans(self, process: str) -> Loans | None:
        """Return what counts the memory that frames lend to a process; None where none can be."""
        return None if self._closed else self._peer(process).lending.loans()

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        """Send a chunk to a process; it is copied when the kernel has room for it."""
        if not self._closed:
            self._peer(process).bulk.send(HEADER.pack(len(header)) + header, data)

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        """Forget the connections to a process that has died, and all that it was lent."""
        if addresses is not None:
            self.addresses[process] = addresses
        peer = self._peers.pop(process, None)
        if peer is not None:
            peer.lending.end()
            peer.close()

    async def close(self, linger: float) -> None:
        """Give what is queued `linger` seconds to leave, then end; remove our own socket files."""
        loop = asyncio.get_running_loop()
        end = loop.time() + linger
        while any(map(len, self._peers.values())) and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        self._closed = True
        self._spin.end()
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
