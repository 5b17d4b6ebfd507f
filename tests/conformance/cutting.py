"""In a process of a run, breaks all connections when it is told to by a signal."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path

CUT = signal.SIGUSR1
CUTS = "TETHER_TESTS_CUTS"
"""The environment's name of a file that grows by a byte with every connection that is broken."""


def break_connections(*_signal: object) -> None:
    """Shut every connection that has an address: what is in it is lost, and both ends see it."""
    for path in list(Path("/dev/fd").iterdir()):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(path.name)).st_mode):
                with socket.socket(fileno=os.dup(int(path.name))) as end:
                    break_one(end)


def break_one(end: socket.socket) -> None:
    """Shut a connection between processes, but no pair of sockets that was made together."""
    listens = end.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if not listens and (end.getsockname() or end.getpeername()):
        end.shutdown(socket.SHUT_RDWR)
        with Path(os.environ[CUTS]).open("ab") as cuts:
            cuts.write(b".")


if "tether.runners.child" in sys.orig_argv:
    signal.signal(CUT, break_connections)
