"""Where the processes of a run listen: by files for their own host, by ports for the others."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tether.actors.keyring import Keyring
from tether.runners.spec import Plan

Pair = tuple[str, str]
"""The endpoint for control, and that for bulk."""

LAST = 65535


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the processes listen, as those of one host see it.

    `near` are those of this host; `far` are all that listen on ports, those of this host too, and
    `hosts` tells of each of these where it runs. `keyring` is this host's, if it has keys.
    """

    near: Mapping[str, Pair] = field(default_factory=dict)
    far: Mapping[str, Pair] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    keyring: Keyring | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return plain data that msgpack can carry: with the secret key, so to no other host."""
        keys = None
        if self.keyring is not None:
            keys = [self.keyring.host, self.keyring.secret, dict(self.keyring.public)]
        return {
            "near": dict(self.near),
            "far": dict(self.far),
            "hosts": dict(self.hosts),
            "keys": keys,
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Addresses:
        """Return the addresses that `to_wire` wrote."""
        near, far = (
            {name: (control, bulk) for name, (control, bulk) in data[side].items()}
            for side in ("near", "far")
        )
        return cls(near, far, data["hosts"], Keyring(*data["keys"]) if data["keys"] else None)


def split(address: str) -> tuple[str, int]:
    """Return the machine and the port of an address of [hosts]."""
    machine, _, port = address.rpartition(":")
    return machine, int(port)


def ports(address: str, index: int) -> Pair:
    """Return the two endpoints of a host's agent (0), or of its process `index` - 1."""
    machine, first = split(address)
    return tuple(f"tcp://{machine}:{first + 2 * index + k}" for k in (0, 1))  # type: ignore[return-value]


def last_port(plan: Plan, host: str) -> int:
    """Return the last of the ports that a host listens on, from that of its address on."""
    return split(plan.hosts[host])[1] + 2 * len(plan.processes(host)) + 1


def agents(plan: Plan) -> dict[str, Pair]:
    """Return where the agents of all hosts listen."""
    return {host: ports(address, 0) for host, address in plan.hosts.items()}


def hosts_by_process(plan: Plan) -> dict[str, str]:
    """Return on which host each process runs."""
    return {process: host for host in plan.hosts for process in plan.processes(host)}


def of_agents(plan: Plan, keyring: Keyring | None) -> Addresses:
    """Return where the agents of all hosts listen, to one of them."""
    return Addresses(far=agents(plan), hosts={host: host for host in plan.hosts}, keyring=keyring)


def processes(plan: Plan) -> dict[str, Pair]:
    """Return where all processes of a run over several hosts listen for those of other hosts."""
    if len(plan.hosts) < 2:
        return {}
    return {
        process: ports(address, index)
        for host, address in plan.hosts.items()
        for index, process in enumerate(plan.processes(host), 1)
    }


def overlaps(plan: Plan) -> list[str]:
    """Return a sentence for each host whose ports do not exist, or are another one's too."""
    if len(plan.hosts) < 2:
        return []
    found, known = [], dict[str, tuple[str, range]]()
    for host, address in plan.hosts.items():
        machine, first = split(address)
        last = last_port(plan, host)
        where = f"[hosts] {host} = {address!r}: its agent and processes take the ports {first} to"
        if last > LAST:
            found.append(f"{where} {last}, but {LAST} is the last there is")
        for other, (place, taken) in known.items():
            if place == machine and first <= taken[-1] and taken[0] <= last:
                found.append(
                    f"{where} {last}, but {other} on the same machine takes {taken[0]} to "
                    f"{taken[-1]}"
                )
        known[host] = machine, range(first, last + 1)
    return found


def bindable(endpoint: str) -> str:
    """Return an endpoint to listen on with its machine as a number: a name cannot be bound to."""
    machine, port = split(endpoint.removeprefix("tcp://"))
    if machine.startswith("["):
        return endpoint
    return f"tcp://{socket.gethostbyname(machine)}:{port}"


class Ports:
    """Free ports of this machine, kept from others until `release`; processes may listen there."""

    def __init__(self, names: Iterable[str]) -> None:
        self._held: list[socket.socket] = []
        self.pairs = {name: (self._free(), self._free()) for name in names}

    def _free(self) -> str:
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as who listens there does
        held.bind(("127.0.0.1", 0))
        self._held.append(held)
        return f"tcp://127.0.0.1:{held.getsockname()[1]}"

    def release(self) -> None:
        """Keep them no longer."""
        for held in self._held:
            held.close()
