"""The transports between real processes, alike to what tests them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import zmq

from tether.actors.transport import Transport
from tether.actors.unix import Unix
from tether.actors.zeromq import ZeroMQ

Make = Callable[[str, int, Mapping[str, tuple[str, str]]], Transport]


class Line(NamedTuple):
    """A transport, and how its addresses begin."""

    make: Make
    scheme: str
    listen: Callable[[str], Callable[[], None]]
    """Listens at an address and takes nothing in; what it returns ends that."""

    def address(self, path: Path) -> str:
        return f"{self.scheme}{path}"

    def endpoints(self, folder: Path, *names: str) -> dict[str, tuple[str, str]]:
        """Return a control and a bulk endpoint for each process."""
        return {
            name: (self.address(folder / f"{name}.c"), self.address(folder / f"{name}.b"))
            for name in names
        }

    def deaf(self, folder: Path) -> Callable[[], None]:
        """Have the right side listen and take nothing in, until what is returned is called."""
        stack = ExitStack()
        for address in self.endpoints(folder, "right")["right"]:
            stack.callback(self.listen(address))
        return stack.close


class Copying(Unix):
    """Unix sockets between processes that share no memory."""

    shares = False

    def loans(self, process: str) -> None: ...


def deaf_router(address: str) -> Callable[[], None]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.RCVHWM, 1)
    router.bind(address)
    return router.close


def deaf_socket(address: str) -> Callable[[], None]:
    path = address.removeprefix("unix://")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()

    def end() -> None:
        listener.close()
        Path(path).unlink()

    return end


ZEROMQ = Line(ZeroMQ, "ipc://", deaf_router)
UNIX = Line(Unix, "unix://", deaf_socket)
LINES = {"ipc": ZEROMQ, "unix": UNIX, "copied": Line(Copying, "unix://", deaf_socket)}
