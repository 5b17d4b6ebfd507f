"""What is ZeroMQ's own: strangers that speak it too. The rest is in test_transport.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.actors.conftest import SIDES, joined, until
from tests.actors.lines import ZEROMQ
from tether.actors.zeromq import ZeroMQ


class Center:
    async def echo(self, x: Any) -> Any:
        return x


def stranger(address: str) -> zmq.Socket[bytes]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address)
    return socket


@pytest.mark.parametrize("which", [0, 1])
async def test_a_strangers_frames_are_counted_and_cost_nothing(
    folder: Path, which: int, caplog: pytest.LogCaptureFixture
) -> None:
    addresses = ZEROMQ.endpoints(folder, *SIDES)
    pair = await joined({side: ZEROMQ.make(side, 1, addresses) for side in SIDES})
    center = pair.spawn("center/0", Center)
    transport = pair.nodes["right"].transport
    assert isinstance(transport, ZeroMQ)
    socket = stranger(addresses["right"][which])
    for parts in ([b"1", b"2", b"3", b"4"], [b"\xc1"] * (which + 1), [b""] * (which + 1)):
        socket.send_multipart(parts)

    refused = pair.nodes["right"].switch.refused
    await until(lambda: transport.foreign == 1 and refused.total() == 2)

    assert "right: a message of 5 frames was refused" in caplog.text
    assert refused == {("frame", "chunk")[which]: 2}
    assert await center.echo(1) == 1
    socket.close()
    await pair.close()
