"""The network of a process: near, far or both."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest
import zmq

from tether.actors.ladder import Ladder
from tether.actors.unix import Unix
from tether.actors.zeromq import ZeroMQ
from tether.runners.addresses import Addresses, Pair
from tether.runners.keys import mint
from tether.runners.process import OUTSIDE
from tether.runners.spec import RunSpec
from tether.runners.transport import cores, transport

HERE: Mapping[str, Pair] = {
    "me": ("unix:///c", "unix:///b"),
    "you": ("unix:///d", "unix:///e"),
}
THERE: Mapping[str, Pair] = dict.fromkeys(
    ("me", "you", "they"), ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2")
)


async def test_on_one_host_all_go_by_files() -> None:
    made: Any = transport("me", 1, Addresses(near=HERE), RunSpec("x"))

    assert isinstance(made, Unix)
    assert made.addresses == HERE
    await made.close(0)


@pytest.mark.parametrize(
    ("free", "seconds"), [(1, 0.0), (2, 0.5), (64, 0.5)], ids=["too few", "as many", "more"]
)
async def test_a_loop_stays_awake_where_there_is_a_core_for_each_process(
    free: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tether.runners.transport.cores", lambda: free)
    near = {**HERE, OUTSIDE: ("unix:///f", "unix:///g")}

    made: Any = transport("me", 1, Addresses(near=near), RunSpec("x", spin=0.5))

    assert made._spin._seconds == seconds
    await made.close(0)


def test_cores_are_those_this_process_may_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5, 7}, raising=False)
    assert cores() == 3

    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


async def test_with_other_hosts_only_those_who_are_there_go_by_ports() -> None:
    made: Any = transport("me", 1, Addresses(HERE, THERE), RunSpec("x"))

    assert isinstance(made, Ladder)
    assert (made._rung("you"), made._rung("they")) == (made.near, made.far)
    assert (type(made.near), type(made.far)) == (Unix, ZeroMQ)
    await made.close(0)


async def test_who_has_no_file_is_reached_by_ports_alone() -> None:
    made: Any = transport("me", 1, Addresses(far=THERE), RunSpec("x"))

    assert isinstance(made, ZeroMQ)
    assert made.addresses == THERE
    await made.close(0)


@pytest.mark.parametrize("kind", [zmq.ROUTER, zmq.DEALER])
async def test_no_socket_beats_for_one_that_is_due_aborts_the_process(kind: int) -> None:
    made: Any = transport("me", 1, Addresses(far=THERE), RunSpec("x", unreachable=7))

    with made._socket(kind, "tcp://127.0.0.1:1") as socket:
        assert socket.getsockopt(zmq.HEARTBEAT_IVL) == 0
        assert socket.getsockopt(zmq.TCP_MAXRT) == 7000
        assert socket.getsockopt(zmq.TCP_KEEPALIVE_IDLE) == 7
    await made.close(0)


async def test_what_goes_by_ports_is_guarded_by_the_keys_of_the_host() -> None:
    hosts = {"me": "a", "you": "a", "they": "b"}
    addresses = Addresses(HERE, THERE, hosts, mint(["a", "b"])["a"])
    made: Any = transport("me", 1, addresses, RunSpec("x"))

    assert made.far._encryption.keys("tcp://127.0.0.1:1") is addresses.keyring
    await made.close(0)


async def test_without_keys_nothing_goes_by_ports_unless_it_is_said_to_be_open() -> None:
    made: Any = transport("me", 1, Addresses(far=THERE), RunSpec("x"))
    with pytest.raises(ValueError, match="is on the network, but there are no keys"):
        made.send("you", b"frame")
    await made.close(0)

    made = transport("me", 1, Addresses(far=THERE), RunSpec("x", encryption="off"))
    made.send("you", b"frame")
    await made.close(0)
