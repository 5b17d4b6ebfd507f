"""What is encrypted on the way to other hosts, and how a socket is made to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import zmq

from tether.actors.endpoint import check_bind, is_local
from tether.actors.keyring import Keyring

LEVELS = ("on", "control", "off")
"""Everything; all but bulk, which travels openly; nothing."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """What one process encrypts: nothing to files of its own host, and to others as `level` says.

    `hosts` tells of each process of another host whose key it must have; it may grow.
    """

    level: str = "on"
    keyring: Keyring | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)
    everywhere: bool = False

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(
                f"encryption is {self.level!r}, but one of {', '.join(LEVELS)} is wanted"
            )

    def keys(self, endpoint: str) -> Keyring | None:
        """Return the keys that guard an endpoint; raises ValueError where they are missing."""
        if is_local(endpoint) or self.level == "off":
            return None
        if self.keyring is None:
            raise ValueError(
                f"{endpoint} is on the network, but there are no keys: make them with `tether "
                'keys`, or write encryption = "off" in [run]'
            )
        return self.keyring

    def seals(self, endpoint: str) -> bool:
        """Whether what goes to a bulk endpoint, or comes to it, is sealed."""
        return self.level == "on" and self.keys(endpoint) is not None

    def check(self, endpoint: str) -> None:
        """Raise ValueError when an endpoint stands for all interfaces and nobody has allowed it."""
        if not self.everywhere:
            check_bind(endpoint)

    def listen(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        """Prepare a ROUTER for an endpoint, which nobody may reach who should not."""
        self.check(endpoint)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        keys = self.keys(endpoint)
        if keys is not None:
            keys.serve(socket)

    def dial(self, socket: zmq.Socket[bytes], process: str, endpoint: str) -> None:
        """Prepare a DEALER for an endpoint of a process."""
        keys = self.keys(endpoint)
        if keys is None:
            return
        if process not in self.hosts:
            raise ValueError(
                f"{process} is at {endpoint}, but nobody has told on which host it runs, and so "
                "which key it must have"
            )
        keys.dial(socket, self.hosts[process])

    def named(self, process: str) -> str:
        """Return a process's name with that of its host, where it is known."""
        host = self.hosts.get(process)
        return process if host is None else f"{process} on host {host}"
