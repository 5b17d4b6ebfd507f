"""Endpoints: which are of one host alone, which would listen to the whole world; their sockets."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any


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


def listening(endpoint: str, backlog: int) -> socket.socket:
    """Return a socket that listens at an endpoint, without blocking; OSError where it cannot."""
    family, address = _numeric(endpoint)
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_UNIX:
            Path(address).unlink(missing_ok=True)  # of one who was killed
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(address)
        made.listen(backlog)
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"{endpoint} cannot be listened at: {error.strerror}") from None
    made.setblocking(False)
    return made


def bound(listener: socket.socket) -> str:
    """Return the endpoint that a socket listens at."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"ipc://{name}"
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    return f"tcp://{host}:{name[1]}"


async def dialled(endpoint: str, timeout: float) -> socket.socket:
    """Return a socket connected to an endpoint; OSError when that fails or takes too long."""
    async with asyncio.timeout(timeout):
        family, address = await _resolved(endpoint)
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, address)
        except BaseException:
            made.close()
            raise
    return made


def _split(endpoint: str) -> tuple[str, str]:
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return host.strip("[]"), port


def _numeric(endpoint: str) -> tuple[int, Any]:
    """Return family and address of an endpoint to listen at, where * may stand for any."""
    if is_local(endpoint):
        return socket.AF_UNIX, endpoint.removeprefix("ipc://")
    host, port = ("0" if part == "*" else part for part in _split(endpoint))
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(f"{endpoint} is no place to listen at: {error.strerror}") from None
    return found[0][0], found[0][4]


async def _resolved(endpoint: str) -> tuple[int, Any]:
    if is_local(endpoint):
        return socket.AF_UNIX, endpoint.removeprefix("ipc://")
    host, port = _split(endpoint)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return found[0][0], found[0][4]
