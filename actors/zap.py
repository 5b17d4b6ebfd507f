"""ZAP (ZeroMQ RFC 27) on the event loop: who a CURVE server lets in."""

from __future__ import annotations

from collections.abc import Callable

import zmq
from zmq.utils import z85

from tether.actors.keyring import Keyring
from tether.actors.pump import NOBLOCK, Intake

ENDPOINT = "inproc://zeromq.zap.01"


class Authenticator:
    """Lets those in whose public key is on the keyring, for all servers of a context.

    A message from one that was let in has its host as `User-Id`. `refused` gets a sentence about
    others.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        keyring: Keyring,
        refused: Callable[[str], None],
    ) -> None:
        self._keyring = keyring
        self._refused = refused
        self._known: set[str] = set()
        self._socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(ENDPOINT)
        self._intake = Intake(self._socket, self._answer)

    def _answer(self, parts: list[bytes]) -> None:
        version, request, _domain, address, _identity, mechanism, *credentials = parts
        where = address.decode(errors="replace")
        host = self._by_key(where, credentials[0]) if mechanism == b"CURVE" else None
        if host is None:
            verdict = [b"400", b"not on the list", b""]
        else:
            verdict = [b"200", b"OK", host.encode()]
        self._socket.send_multipart([version, request, *verdict, b""], NOBLOCK)

    def _by_key(self, where: str, key: bytes) -> str | None:
        host = self._keyring.owner(key)
        if host is None:
            shown = z85.encode(key).decode()
            self._refused(f"one from {where} was not let in: its key, {shown}, is on no list")
        else:
            self._known.add(where.removeprefix("::ffff:"))
        return host

    def knows(self, where: str) -> bool:
        """Whether one who had a key has come from an address."""
        return where.removeprefix("::ffff:") in self._known

    def close(self) -> None:
        """Answer nobody any more."""
        self._intake.close(0)
