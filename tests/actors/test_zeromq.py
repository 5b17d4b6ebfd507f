"""What is ZeroMQ's own: strangers that speak it too. The rest is in test_transport.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch
import zmq

from tests.actors.conftest import World, joined_over, until
from tests.actors.lines import ZEROMQ
from tether.actors.switch import Switch
from tether.actors.zeromq import KEYS, ZeroMQ


class Center:
    async def echo(self, x: Any) -> Any:
        return x


def stranger(address: str) -> zmq.Socket[bytes]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address)
    return socket


@pytest.fixture
async def pair(folder: Path) -> AsyncIterator[World]:
    """Two sides joined by ZeroMQ."""
    world = await joined_over(ZEROMQ, folder)
    yield world
    await world.close()


async def test_a_strangers_frames_are_counted_and_cost_nothing(
    pair: World, caplog: pytest.LogCaptureFixture
) -> None:
    center = pair.spawn("center/0", Center)
    transport = pair.nodes["right"].transport
    assert isinstance(transport, ZeroMQ)
    socket = stranger(transport.addresses["right"][0])
    for parts in ([b"1", b"2", b"3", b"4"], [b"\xc1"], [b""], [KEYS, b"\xc1"]):
        socket.send_multipart(parts)

    refused = pair.nodes["right"].switch.refused
    await until(lambda: transport.refusals.count.total() == 2 and refused.total() == 2)

    assert "right: a message of 5 frames was refused" in caplog.text
    assert transport.refusals.count == {"foreign": 1, "word": 1}
    assert refused == {"frame": 2}
    assert await center.echo(1) == 1
    socket.close()


async def test_memory_is_received_into_where_it_belongs(
    pair: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    center = pair.spawn("center/0", Center)
    copied: list[int] = []
    chunk = Switch.chunk

    def copy(switch: Switch, header: bytes, data: memoryview) -> None:
        copied.append(len(data))
        chunk(switch, header, data)

    monkeypatch.setattr(Switch, "chunk", copy)
    assert await center.echo(1) == 1

    x = torch.arange(3_000_000.0)
    assert torch.equal(await center.echo(x), x)

    assert copied == []
