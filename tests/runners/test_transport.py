"""The network of a process: near, far or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import zmq

from tether.actors.ladder import Ladder
from tether.actors.zeromq import ZeroMQ
from tether.runners.addresses import Addresses, Pair
from tether.runners.spec import RunSpec
from tether.runners.transport import transport

HERE: Mapping[str, Pair] = {
    "me": ("ipc:///c", "ipc:///b"),
    "you": ("ipc:///d", "ipc:///e"),
}
THERE: Mapping[str, Pair] = dict.fromkeys(
    ("me", "you", "they"), ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2")
)


async def test_on_one_host_all_go_by_files() -> None:
    made: Any = transport("me", 1, Addresses(near=HERE), RunSpec("x"))

    assert isinstance(made, ZeroMQ)
    assert made.addresses == HERE
    await made.close(0)


async def test_with_other_hosts_only_those_who_are_there_go_by_ports() -> None:
    made: Any = transport("me", 1, Addresses(HERE, THERE), RunSpec("x"))

    assert isinstance(made, Ladder)
    assert (made._rung("you"), made._rung("they")) == (made.near, made.far)
    await made.close(0)


async def test_who_has_no_file_is_reached_by_ports_alone() -> None:
    made: Any = transport("me", 1, Addresses(far=THERE), RunSpec("x"))

    assert isinstance(made, ZeroMQ)
    assert made.addresses == THERE
    await made.close(0)


@pytest.mark.parametrize("kind", [zmq.ROUTER, zmq.DEALER])
async def test_no_socket_beats_for_one_that_is_due_aborts_the_process(kind: int) -> None:
    made: Any = transport("me", 1, Addresses(far=THERE), RunSpec("x", unreachable=7))

    with made._socket(kind, 1, "tcp://127.0.0.1:1") as socket:
        assert socket.getsockopt(zmq.HEARTBEAT_IVL) == 0
        assert socket.getsockopt(zmq.TCP_MAXRT) == 7000
        assert socket.getsockopt(zmq.TCP_KEEPALIVE_IDLE) == 7
    await made.close(0)
