"""Where processes listen: files and ports."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tether.runners.addresses import (
    Addresses,
    Ports,
    agents,
    bindable,
    last_port,
    ports,
    processes,
    split,
)
from tether.runners.linker import link
from tether.runners.problems import WiringError
from tether.runners.spec import Plan


class Idle:
    async def run(self) -> None: ...


def planned(**hosts: str) -> Plan:
    tables = {
        "hosts": hosts,
        "one": {"actor": Idle, "on": "a"},
        "two": {"actor": Idle, "on": list(hosts), "count": 2 * len(hosts)},
    }
    return link(tables, Path(), name="x", importable=False)


def test_an_agent_and_each_process_have_two_ports_in_a_row() -> None:
    plan = planned(a="10.0.0.1:5700", b="10.0.0.2:5800")

    assert agents(plan)["b"] == ("tcp://10.0.0.2:5800", "tcp://10.0.0.2:5801")
    assert processes(plan) == {
        "one-0": ("tcp://10.0.0.1:5702", "tcp://10.0.0.1:5703"),
        "two-0": ("tcp://10.0.0.1:5704", "tcp://10.0.0.1:5705"),
        "two-2": ("tcp://10.0.0.1:5706", "tcp://10.0.0.1:5707"),
        "two-1": ("tcp://10.0.0.2:5802", "tcp://10.0.0.2:5803"),
        "two-3": ("tcp://10.0.0.2:5804", "tcp://10.0.0.2:5805"),
    }
    assert (last_port(plan, "a"), last_port(plan, "b")) == (5707, 5805)


def test_on_one_host_nobody_listens_on_a_port() -> None:
    assert processes(planned(a="10.0.0.1:5700")) == {}


@pytest.mark.parametrize("machine", ["10.0.0.1", "node-1.lan", "[fe80::1]"])
def test_an_address_is_a_machine_and_a_port(machine: str) -> None:
    assert split(f"{machine}:5700") == (machine, 5700)
    assert ports(f"{machine}:5700", 1)[0] == f"tcp://{machine}:5702"


def test_addresses_come_back_from_the_wire_as_they_were() -> None:
    plan = planned(a="10.0.0.1:5700", b="10.0.0.2:5800")
    addresses = Addresses({"one-0": ("ipc:///c", "ipc:///b")}, processes(plan))

    assert Addresses.from_wire(addresses.to_wire()) == addresses


def test_free_ports_are_kept_for_who_is_to_listen_there() -> None:
    held = Ports(["a", "b"])
    endpoints = [endpoint for pair in held.pairs.values() for endpoint in pair]

    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(split(endpoints[0].removeprefix("tcp://")))
        one.listen()
    held.release()

    assert len(set(endpoints)) == 4


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (
            "10.0.0.1:5705",
            "5705 to 5710, but a on the same machine takes 5700 to 5707",
        ),
        (
            "10.0.0.2:65533",
            "65533 to 65538, but 65535 is the last there is",
        ),
    ],
)
def test_ports_that_cannot_be_had_are_a_fault_of_the_wiring(other: str, sentence: str) -> None:
    with pytest.raises(WiringError) as caught:
        planned(a="10.0.0.1:5700", b=other)

    start = f"[hosts] b = '{other}': its agent and processes take the ports "
    assert caught.value.problems == (start + sentence,)


def test_a_name_is_listened_on_by_its_number() -> None:
    assert bindable("tcp://localhost:5700") == "tcp://127.0.0.1:5700"
    assert bindable("tcp://[fe80::1]:5700") == "tcp://[fe80::1]:5700"
