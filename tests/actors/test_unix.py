"""What is Unix sockets' own: strangers, and addresses. The rest is in test_transport.py."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.actors.conftest import World, joined_over, until
from tests.actors.lines import UNIX
from tether.actors.outflow import LENGTH
from tether.actors.unix import Unix, path_of


class Center:
    async def echo(self, x: Any) -> Any:
        return x


def message(data: bytes) -> bytes:
    return LENGTH.pack(len(data)) + data


async def pair(folder: Path) -> tuple[World, Unix]:
    """Return two sides, and the transport of the right one."""
    world = await joined_over(UNIX, folder)
    transport = world.nodes["right"].transport
    assert isinstance(transport, Unix)
    return world, transport


def stranger(address: str) -> socket.socket:
    dialled = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dialled.connect(path_of(address))
    return dialled


@pytest.mark.parametrize("which", [0, 1])
async def test_a_strangers_messages_are_counted_and_cost_nothing(
    folder: Path, which: int, caplog: pytest.LogCaptureFixture
) -> None:
    world, _ = await pair(folder)
    center = world.spawn("center/0", Center)
    for header in ((b"",), (b"\1\0\xc1",))[which]:
        with stranger(UNIX.endpoints(folder, "right")["right"][which]) as dialled:
            dialled.sendall(message(b"a stranger") + 2 * message(header + b"\xc1"))

    refused = world.nodes["right"].switch.refused
    await until(lambda: refused.total() == 2)

    assert refused == {("frame", "chunk")[which]: 2}
    assert await center.echo(1) == 1
    await world.close()


@pytest.mark.parametrize("data", [b"", b"\1", b"\1\0", b"\0\0x", b"\1\0x", b"\xff\xffx"])
async def test_a_chunk_without_header_or_bytes_is_refused(
    folder: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    world, transport = await pair(folder)
    with stranger(UNIX.endpoints(folder, "right")["right"][1]) as dialled:
        dialled.sendall(message(b"a stranger") + message(data))
        await until(lambda: transport.foreign)

    assert f"right: a chunk of {len(data)} bytes came without its header" in caplog.text
    assert world.nodes["right"].switch.refused == {}
    await world.close()


async def test_who_announces_too_much_is_cut_off(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world, transport = await pair(folder)
    with stranger(UNIX.endpoints(folder, "right")["right"][0]) as dialled:
        dialled.sendall(message(b"a stranger") + LENGTH.pack(0xFFFFFFFF))
        dialled.setblocking(False)
        await until(lambda: transport.foreign)

        assert dialled.recv(1) == b""

    text = "right: a message of 4294967295 bytes was announced, which is too long"
    assert text in caplog.text
    await world.close()


async def test_another_user_is_not_heard(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, transport = await pair(folder)
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with stranger(UNIX.endpoints(folder, "right")["right"][0]) as dialled:
        await until(lambda: transport.foreign)
        dialled.setblocking(False)

        assert dialled.recv(1) == b""

    assert f"right: a connection of user {user} came, who is another" in caplog.text
    await world.close()


async def test_who_hangs_up_at_once_is_not_missed(folder: Path) -> None:
    world, transport = await pair(folder)
    for _ in range(3):
        stranger(UNIX.endpoints(folder, "right")["right"][0]).close()
    center = world.spawn("center/0", Center)

    assert await center.echo(1) == 1
    assert transport.foreign == 0
    await world.close()


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tcp://a:1 is no Unix socket, but an address as unix://"):
        path_of("tcp://a:1")
