"""Which endpoints stand for all interfaces, in whatever spelling."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tether.actors.endpoint import (
    bound,
    check_bind,
    dialled,
    is_everywhere,
    is_local,
    listening,
)


@pytest.mark.parametrize(
    "host",
    ["*", "", "0.0.0.0", "0", "0.0", "0x0", "00.0.0.0", "::", "0::0", "0:0:0:0:0:0:0:0",
     "::ffff:0.0.0.0", "::%lo"],
)  # fmt: skip
def test_all_interfaces_are_found_in_any_spelling(host: str) -> None:
    assert is_everywhere(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "::1", "fe80::1%lo", "lo", "node-2"])
def test_one_interface_is_none_of_them(host: str) -> None:
    assert not is_everywhere(host)


@pytest.mark.parametrize("endpoint", ["tcp://*:5700", "tcp://0.0.0.0:5700", "tcp://[::]:5700"])
def test_an_endpoint_of_all_interfaces_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r'write bind = "all" in \[run\] to be reached by all'):
        check_bind(endpoint)


@pytest.mark.parametrize("endpoint", ["ipc:///tmp/x", "tcp://127.0.0.1:*", "tcp://[::1]:5700"])
def test_another_endpoint_is_not(endpoint: str) -> None:
    check_bind(endpoint)

    assert is_local(endpoint) == endpoint.startswith("ipc")


@pytest.mark.parametrize("scheme", ["tcp://127.0.0.1:*", "tcp://*:*", "tcp://[::1]:*", "ipc://"])
async def test_what_is_listened_at_can_be_dialled(scheme: str, folder: Path) -> None:
    listener = listening(scheme + (str(folder / "x") if scheme == "ipc://" else ""), 1)
    endpoint = bound(listener)

    near = await dialled(endpoint, 5)
    far, _ = await asyncio.get_running_loop().sock_accept(listener)
    far.send(b"x")

    assert await asyncio.get_running_loop().sock_recv(near, 1) == b"x"
    assert endpoint.startswith(scheme.removesuffix("*").replace("*", "0.0.0.0"))
    for end in (near, far, listener):
        end.close()


async def test_the_file_of_one_who_was_killed_is_no_hindrance(folder: Path) -> None:
    first = listening(f"ipc://{folder / 'x'}", 1)
    first.close()

    second = listening(f"ipc://{folder / 'x'}", 1)

    (await dialled(bound(second), 5)).close()
    second.close()


def test_a_port_that_is_taken_is_named() -> None:
    first = listening("tcp://127.0.0.1:*", 1)
    endpoint = bound(first)

    with pytest.raises(OSError, match=f"{endpoint} cannot be listened at: Address already in use"):
        listening(endpoint, 1)
    first.close()


def test_what_is_no_address_cannot_be_listened_at() -> None:
    with pytest.raises(OSError, match="is no place to listen at: "):
        listening("tcp://not an address:5", 1)


async def test_where_nobody_listens_nobody_can_be_dialled() -> None:
    listener = listening("tcp://127.0.0.1:*", 1)
    endpoint = bound(listener)
    listener.close()

    with pytest.raises(ConnectionRefusedError):
        await dialled(endpoint, 5)
