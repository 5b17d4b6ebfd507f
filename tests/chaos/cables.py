"""Hosts in network namespaces of their own, joined by cables that a test may cut."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

NETWORK = "10.77.0"


def missing() -> str:
    """Return what is missing for hosts in namespaces here, "" for nothing."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        return "needs iproute2 and nsenter"
    probe = f"tether-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], check=False, capture_output=True)
    if made.returncode:
        return f"cannot make network namespaces: {made.stderr.decode().strip()}"
    subprocess.run(["ip", "netns", "del", probe], check=True)
    return ""


class Cables:
    """A namespace for each host, and one for the switch between them; this machine's own network
    is not touched.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._made: list[str] = []
        try:
            self._lay()
        except BaseException:
            self.remove()
            raise

    def _lay(self) -> None:
        switch = self._namespace("switch")
        ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", switch, "link", "set", "bridge", "up")
        for number, name in enumerate(self.names, 1):
            host, port = self._namespace(name), f"port-{name}"
            peer = ("peer", "name", "eth0", "netns", host)
            ip("-n", switch, "link", "add", port, "type", "veth", *peer)
            ip("-n", switch, "link", "set", port, "master", "bridge", "up")
            ip("-n", host, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")

    def _namespace(self, name: str) -> str:
        full = f"tether-{os.getpid()}-{name}"
        ip("netns", "add", full)
        self._made.append(full)
        ip("-n", full, "link", "set", "lo", "up")
        return full

    def address(self, name: str) -> str:
        """Return the address of a host's agent."""
        return f"{NETWORK}.{self.names.index(name) + 1}:5700"

    def inside(self, name: str) -> list[str]:
        """Return the command that runs another one on a host."""
        return ["nsenter", f"--net=/run/netns/tether-{os.getpid()}-{name}"]

    def cut(self, name: str) -> None:
        """Pull a host's cable."""
        ip("-n", self._made[0], "link", "set", f"port-{name}", "down")

    def heal(self, name: str) -> None:
        """Plug it in again."""
        ip("-n", self._made[0], "link", "set", f"port-{name}", "up")

    def remove(self) -> None:
        """Remove all namespaces, and with them all that is in them."""
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def ip(*arguments: str) -> None:
    """Run iproute2."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
