"""Runs over several hosts, which are addresses of this machine, each with an agent of its own."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterable
from contextlib import ExitStack

import pytest

SPAN = 40
"""Ports that a host of a test may take."""
TIMES = "[run]\nbeat = 0.1\nunreachable = 1\nhung = 5\nlost = 2\nwait = 20\ncheckpoint = 0.2\n"
"""All times of a run, scaled down."""
CENTER = '[center]\nactor = "players:Center"\non = "a"\n'


def addresses(names: Iterable[str]) -> dict[str, str]:
    """Return an address of the loopback for each host, with ports that are free on it."""
    hosts = {name: f"127.0.0.{number}" for number, name in enumerate(names, 1)}
    if not all(is_free(machine, 0) for machine in hosts.values()):
        pytest.skip(f"needs the addresses {', '.join(hosts.values())}, as Linux has them")
    while True:
        first = random.choice(mine(range(20000, 30000, SPAN)))
        if all(is_free(machine, first + k) for machine in hosts.values() for k in range(SPAN)):
            return {name: f"{machine}:{first}" for name, machine in hosts.items()}


def mine(ports: range) -> range:
    """Return those of some ports that no other process of this test run takes."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return ports[int(number) :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]


def is_free(machine: str, port: int) -> bool:
    """Whether nobody listens on a port."""
    with ExitStack() as stack:
        probe = stack.enter_context(socket.socket())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((machine, port))
        except OSError:
            return False
    return True


def hosts(*names: str, times: str = TIMES) -> str:
    """Return the head of a wiring for these hosts."""
    lines = [f'{name} = "{address}"' for name, address in addresses(names).items()]
    return times + "[hosts]\n" + "\n".join(lines) + "\n"


def workers(*places: str, steps: int = 0, more: str = "") -> str:
    """Return a table of workers, one at each place, that make so many steps (0: for ever)."""
    on = ", ".join(f'"{place}"' for place in places)
    return (
        f'[worker]\nactor = "players:Worker"\ncenter = "@center"\non = [{on}]\n'
        f"steps = {steps}\n{more}"
    )
