"""ZeroMQ as transport of control: a DEALER for each peer, a ROUTER for all, and bulk beside it.

Each process listens on a ROUTER socket and speaks to each peer through a DEALER, so a connection
has one direction, and nothing is ever sent through a ROUTER, which may drop silently. Bulk has a
plain stream socket each way, which ZeroMQ has no part in. Between hosts control is encrypted by
CURVE, and bulk is sealed chunk by chunk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import zmq

from tether.actors.agreement import Agreement
from tether.actors.encryption import Encryption
from tether.actors.endpoint import is_local
from tether.actors.gate import Gate
from tether.actors.keyring import Keyring
from tether.actors.landing import Landing
from tether.actors.pump import NOBLOCK, Intake, Outlet
from tether.actors.refusals import (
    FAILED,
    FAILED_UNTOLD,
    Refusals,
    refused_here,
    refused_there,
)
from tether.actors.speaker import Monitor, Peer, Speaker
from tether.actors.transport import Receiver
from tether.actors.upload import Upload
from tether.actors.zap import Authenticator

MAX_FRAME = 16 << 20
"""Bytes beyond which ZeroMQ cuts a peer off: no frame of ours exceeds 8 MiB."""
CONTROL_HWM = 1000
KEYS = b"keys"
"""What a message of control begins with that is about keys, and is no frame."""

log = logging.getLogger("tether")


class Signed(Intake):
    """Hands on, before the frames of a message, the host whose key its connection was made with."""

    def _received(self) -> list[Any]:
        first = self.socket.recv(NOBLOCK, copy=False)
        return [first.get("User-Id"), bytes(first.buffer), *super()._received()]


class ZeroMQ:
    """The network of one process: `addresses` gives each process's control and bulk endpoint.

    Whom an endpoint on TCP belongs to must show the key of its host, as `hosts` says and `keyring`
    knows it; both may grow. Endpoints that are files of this host need no keys. `encryption` may be
    "on", "control" (bulk travels openly) or "off"; `everywhere` allows to bind all interfaces.
    """

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
        keyring: Keyring | None = None,
        hosts: Mapping[str, str] | None = None,
        encryption: str = "on",
        everywhere: bool = False,
    ) -> None:
        self.process = process
        self.addresses = dict(addresses)
        self.bound = "", ""
        self.refusals = Refusals(process)
        hosts = {} if hosts is None else hosts
        self._encryption = Encryption(encryption, keyring, hosts, everywhere)
        self._closed = False
        self._identities = (f"{process}/{incarnation}.{n}".encode() for n in count())
        """One for each socket: of two by the same name a ROUTER hears the first alone."""
        self._heartbeat = round(heartbeat * 1000)
        self._timeout = round(unreachable * 1000)
        self._context = zmq.Context()
        self._peers: dict[str, Peer] = {}
        self._listener: Intake | None = None
        self._monitor: Monitor | None = None
        self._gate: Gate | None = None
        self._authenticator: Authenticator | None = None
        self._agreement = Agreement(self._say, self.refusals)
        self._receiver: Receiver | None = None

    async def start(self, receiver: Receiver) -> None:
        """Listen on this process's own two endpoints; `bound` says which they came to be."""
        self._receiver = receiver
        control, bulk = self.addresses[self.process]
        keys = self._encryption.keys(control)
        if keys is not None:
            refused = partial(self.refusals.add, "not on the list")
            self._authenticator = Authenticator(self._context, keys, refused)
        if keys is None:
            listener = self._listen(Intake, control, self._take_open)
        else:
            listener = self._listen(Signed, control, self._take_signed)
        self._gate = self._open(bulk, receiver)
        self.bound = listener.socket.getsockopt_string(zmq.LAST_ENDPOINT), self._gate.bound

    def _listen(
        self, kind: type[Intake], address: str, take: Callable[[list[Any]], None]
    ) -> Intake:
        socket = self._socket(zmq.ROUTER, address)
        listener = self._listener = kind(socket, take)  # from now on it is closed in the end
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._encryption.listen(socket, address)
        if not is_local(address):
            self._monitor = Monitor(socket, FAILED, partial(self._refused, address))
        socket.bind(address)
        return listener

    def _open(self, address: str, receiver: Receiver) -> Gate:
        """Listen for bulk."""
        self._encryption.check(address)
        return Gate(
            address,
            Landing(receiver),
            self._agreement,
            self.refusals,
            self._timeout / 1000,
            sealed=self._encryption.seals(address),
            known=None if self._authenticator is None else self._authenticator.knows,
        )

    def _socket(self, kind: int, address: str) -> zmq.Socket[bytes]:
        # No beats of ZeroMQ's: one that is due, or that is answered, when a peer has died whose
        # messages fill the socket fails an assertion which aborts the process. TCP looks instead.
        socket = self._context.socket(kind)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, CONTROL_HWM),
            (zmq.RCVHWM, CONTROL_HWM),
            (zmq.MAXMSGSIZE, MAX_FRAME),
            (zmq.HANDSHAKE_IVL, self._timeout),
            (zmq.CONNECT_TIMEOUT, self._timeout),
            (zmq.TCP_MAXRT, self._timeout),
            (zmq.RECONNECT_IVL, 20),
            (zmq.RECONNECT_IVL_MAX, 1000),
            (zmq.TCP_KEEPALIVE, 1),
            (zmq.TCP_KEEPALIVE_IDLE, max(1, self._timeout // 1000)),
            (zmq.TCP_KEEPALIVE_INTVL, max(1, self._heartbeat // 1000)),
            (zmq.IPV6, int("[" in address)),
        ):
            socket.setsockopt(option, value)
        return socket

    def _peer(self, process: str) -> Peer:
        peer = self._peers.get(process)
        if peer is None:
            control, bulk = self.addresses[process]
            peer = self._peers[process] = Peer(
                self._control(process, control), self._bulk(process, bulk)
            )
            peer.control.connect()  # bulk follows, for its key is agreed on over control
        return peer

    def _dealer(self, process: str, address: str) -> zmq.Socket[bytes]:
        socket = self._socket(zmq.DEALER, address)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.IDENTITY, next(self._identities))
        try:
            self._encryption.dial(socket, process, address)
        except ValueError:
            socket.close()
            raise
        return socket

    def _bulk(self, process: str, address: str) -> Upload:
        who = f"{self._encryption.named(process)} cannot be reached for bulk at {address}"
        return Upload(
            address,
            self._timeout / 1000,
            partial(self._agreement.begin, process),
            partial(self._made, process),
            lambda why: self.refusals.add("no bulk", f"{who}: {why}"),
            sealed=self._encryption.seals(address),
        )

    def _control(self, process: str, address: str) -> Speaker:
        outlet = Outlet(self._dealer(process, address))
        who = f"{self._encryption.named(process)}, at {address},"
        guarded = self._encryption.keys(address) is not None

        def failed(event: int, value: int) -> None:
            if guarded or event != FAILED_UNTOLD:  # without keys, somebody has just ended
                self.refusals.add(*refused_there(event, value, who))

        return Speaker(outlet, address, partial(self._control_made, process), failed)

    def _made(self, process: str, first: bool) -> None:
        """Have sent again what an old connection may have lost."""
        if not first:
            log.info("%s: the connection to %s was renewed", self.process, process)
            self._renewed(process)

    def _control_made(self, process: str, first: bool) -> None:
        self._agreement.repeat(process)
        self._peers[process].bulk.begin()
        self._made(process, first)

    def _renewed(self, process: str) -> None:
        if self._receiver is not None:
            self._receiver.connected(process)

    def _refused(self, address: str, event: int, value: int) -> None:
        found = refused_here(event, value, address)
        if found is not None and (event != FAILED_UNTOLD or self._authenticator is not None):
            self.refusals.add(*found)

    def _say(self, process: str, word: bytes) -> None:
        """Say a word about keys; to one whose address is not known yet, it is said again later."""
        if not self._closed and process in self.addresses:
            self._peer(process).control.pump.send(KEYS, word)

    def send(self, process: str, frame: bytes) -> None:
        """Queue a frame of control for a process; once closed, nothing is sent any more."""
        if not self._closed:
            self._peer(process).control.pump.send(frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        """Queue a chunk for a process; it is copied when the kernel has room for it."""
        if not self._closed:
            self._peer(process).bulk.send(header, data)

    def loans(self, process: str) -> None:
        """Lend nothing: its processes may be on other hosts."""

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        """Forget the connection to a process that was started anew, maybe elsewhere."""
        if addresses is not None:
            self.addresses[process] = addresses
        peer = self._peers.pop(process, None)
        self._agreement.forget(process)
        if peer is not None:
            peer.close(0)

    def _take_open(self, parts: list[bytes]) -> None:
        """Take in what anybody has sent."""
        identity, *rest = parts
        if len(rest) == 2 and rest[0] == KEYS:
            self._take_word(named(identity), rest[1])
        else:
            self._take_frame(rest)

    def _take_frame(self, parts: list[bytes]) -> None:
        if len(parts) != 1 or self._receiver is None:
            self._refuse(len(parts) + 1)
            return
        self._receiver.frame(parts[0])

    def _take_signed(self, parts: list[Any]) -> None:
        """Take in what a holder of a key has sent, if it is of a process of that host."""
        host, identity, *rest = parts
        process = named(identity)
        if self._encryption.hosts.get(process) != host:
            sentence = f"host {host} speaks for {process!r:.80}, which does not run there"
            self.refusals.add("other host", sentence)
        elif len(rest) == 2 and rest[0] == KEYS:
            self._take_word(process, rest[1])
        else:
            self._take_frame(rest)

    def _take_word(self, process: str, word: bytes) -> None:
        try:
            self._agreement.hear(process, word)
        except ValueError as error:
            self.refusals.add("word", f"a word of {process} was refused: {error}")

    def _refuse(self, frames: int) -> None:
        """Count a message that has not the shape of any of ours."""
        self.refusals.add("foreign", f"a message of {frames} frames was refused")

    @property
    def foreign(self) -> int:
        """How many messages came that have not the shape of any of ours."""
        return self.refusals.count["foreign"]

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
        if self._monitor is not None:
            self._monitor.close()
        if self._listener is not None:
            self._listener.close(0)
        if self._gate is not None:
            self._gate.close()
        if self._authenticator is not None:
            self._authenticator.close()
        self._context.destroy()
        self._remove_files()

    def _queued(self) -> bool:
        return any(peer.queued for peer in self._peers.values())

    def _remove_files(self) -> None:
        for address in self.addresses[self.process]:
            if address.startswith("ipc://"):
                Path(address.removeprefix("ipc://")).unlink(missing_ok=True)


def named(identity: bytes) -> str:
    """Return the process whose socket has an identity."""
    return identity.rpartition(b"/")[0].decode(errors="replace")
