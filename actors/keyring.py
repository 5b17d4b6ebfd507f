"""The keys of one host of a run: its own secret one, and everybody's public ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import zmq
from zmq.utils import z85

ZAP_DOMAIN = b"tether"
KEY_CHARACTERS = 40
"""How long a key is as text: 32 bytes in Z85."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """What a host knows of a run's keys: enough to speak to every other, and to know who speaks.

    Keys are Z85 text, as ZeroMQ takes them; `public` has those of all hosts by name.
    """

    host: str
    secret: bytes = field(repr=False)
    public: Mapping[str, bytes]
    _owners: dict[bytes, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        owners: dict[bytes, str] = {}
        for host, key in self.public.items():
            other = owners.setdefault(raw(key, f"the public key of {host}"), host)
            if other != host:
                raise ValueError(
                    f"{other} and {host} have the same public key, so nobody can tell them apart"
                )
        object.__setattr__(self, "_owners", owners)
        raw(self.secret, f"the secret key of {self.host}")
        if self.host not in self.public:
            raise ValueError(f"this is the keyring of {self.host}, but no public key of it is here")
        if zmq.curve_public(self.secret) != self.public[self.host]:
            raise ValueError(f"the secret key of {self.host} does not belong to its public key")

    def owner(self, key: bytes) -> str | None:
        """Return the host whose public key these 32 bytes are; None if it is on no list."""
        return self._owners.get(key)

    def serve(self, socket: zmq.Socket[bytes]) -> None:
        """Make a socket a CURVE server, before it is bound: ZAP says who is let in.

        Without somebody who answers ZAP in its context it lets nobody in.
        """
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        ask_zap(socket)

    def dial(self, socket: zmq.Socket[bytes], host: str) -> None:
        """Make a socket a CURVE client of a host, before it is connected."""
        if host not in self.public:
            known = ", ".join(self.public)
            raise ValueError(f"there is no public key of {host!r}; there are those of {known}")
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.public[host])
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public[self.host])
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)


def ask_zap(socket: zmq.Socket[bytes]) -> None:
    """Have ZAP asked about who comes to a socket without CURVE, before it is bound."""
    socket.setsockopt(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def raw(key: bytes, name: str) -> bytes:
    """Return the 32 bytes of a key in Z85; raises ValueError when it is none."""
    try:
        if len(key) != KEY_CHARACTERS:
            raise KeyError
        return z85.decode(key)
    except Exception:  # what z85 raises depends on which character is wrong
        raise ValueError(
            f"{name} is no key: {KEY_CHARACTERS} characters of Z85 are wanted"
        ) from None
