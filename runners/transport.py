"""The network of a process, or of an agent: the one place where it is made."""

from __future__ import annotations

import os

from tether.actors.ladder import Ladder
from tether.actors.transport import Transport
from tether.actors.unix import Unix
from tether.actors.zeromq import ZeroMQ
from tether.runners.addresses import Addresses, bindable
from tether.runners.process import OUTSIDE
from tether.runners.spec import RunSpec


def transport(name: str, incarnation: int, addresses: Addresses, run: RunSpec) -> Transport:
    """Return what carries frames from and to a process: by files on its host, else by TCP.

    What travels between hosts is encrypted as the run says, with the keys of this host.
    """
    if name not in addresses.far:
        return Unix(name, incarnation, addresses.near, _spin(addresses, run))
    control, bulk = map(bindable, addresses.far[name])
    far = ZeroMQ(
        name,
        incarnation,
        {**addresses.far, name: (control, bulk)},
        heartbeat=run.beat,
        unreachable=run.unreachable,
        keyring=addresses.keyring,
        hosts=addresses.hosts,
        encryption=run.encryption,
        everywhere=run.bind == "all",
    )
    if name not in addresses.near:
        return far
    near = Unix(name, incarnation, addresses.near, _spin(addresses, run))
    return Ladder(near, far, addresses.far.keys() - addresses.near.keys())


def _spin(addresses: Addresses, run: RunSpec) -> float:
    """Return how long a loop stays awake: not at all where processes outnumber their cores."""
    processes = len(addresses.near.keys() - {OUTSIDE})
    return run.spin if processes <= cores() else 0.0


def cores() -> int:
    """Return how many cores this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # where no process is bound to cores
        return os.cpu_count() or 1
