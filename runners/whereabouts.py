"""Which of the hosts of a wiring this machine is to be."""

from __future__ import annotations

import socket

from tether.runners.addresses import split
from tether.runners.problems import WiringError, listed, nearest
from tether.runners.spec import Plan


def whereabouts(plan: Plan, host: str) -> str:
    """Return the host that was named, or home where only that can be meant; "" without [hosts].

    WiringError says why it is none of these.
    """
    if host and host not in plan.hosts:
        close = nearest(host, plan.hosts)
        raise WiringError(
            [f"--host {host}: there is no such host{close}; [hosts] has {listed(plan.hosts)}"]
        )
    if host or len(plan.hosts) < 2:
        return host or plan.home
    here = [name for name, address in plan.hosts.items() if is_here(split(address)[0])]
    if here != [plan.home]:
        sentence = (
            f"--host: this machine has the addresses of {listed(here)}, so it cannot be told to be "
            f"home, which is {plan.home}; say which host it is, as --host {plan.home}"
        )
        raise WiringError([sentence])
    return plan.home


def is_here(machine: str) -> bool:
    """Whether an address is one of this machine's own."""
    try:
        found = socket.getaddrinfo(machine.strip("[]"), 0, type=socket.SOCK_STREAM)
        with socket.socket(found[0][0], socket.SOCK_STREAM) as probe:
            probe.bind(found[0][4])
    except OSError:
        return False
    return True
