"""Endpoints: which are of one host alone, and which would listen to the whole world."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address


def is_local(endpoint: str) -> bool:
    """Whether an endpoint is a file of this host, which no other host can reach."""
    return endpoint.startswith("ipc://")


def check_bind(endpoint: str) -> None:
    """Raise ValueError when an endpoint stands for all interfaces of a host."""
    if is_local(endpoint):
        return
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    if is_everywhere(host):
        raise ValueError(
            f"{endpoint} listens on all interfaces, but one address of this host is wanted; "
            'write bind = "all" in [run] to be reached by all of them'
        )


def is_everywhere(host: str) -> bool:
    """Whether an address, in any spelling that binding takes, means all interfaces."""
    if host in {"", "*"}:
        return True
    try:
        found = socket.getaddrinfo(host.partition("%")[0], None, flags=socket.AI_NUMERICHOST)
    except OSError:  # the name of an interface or of a host
        return False
    for *_, address in found:
        ip = ip_address(str(address[0]))
        mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
        if ip.is_unspecified or (mapped is not None and mapped.is_unspecified):
            return True
    return False
