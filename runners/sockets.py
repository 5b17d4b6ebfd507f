"""Where the processes of one host listen: files in a folder nobody else may enter."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

PREFIX = "tether-"


class SocketFolder:
    """A private folder for the socket files of one run on this host."""

    def __init__(self) -> None:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))

    def addresses(self, processes: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return each process's control and bulk endpoint: short, as a socket's path must be."""
        return {
            process: (f"ipc://{self.path}/{index}.c", f"ipc://{self.path}/{index}.b")
            for index, process in enumerate(processes)
        }

    def remove(self) -> None:
        """Remove the folder and what is left in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def remove_own(addresses: Mapping[str, tuple[str, str]], process: str) -> None:
    """Remove a process's own socket files, and the folder if it was the last: nobody else will."""
    for address in addresses[process]:
        path = Path(address.removeprefix("ipc://"))
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def sweep() -> None:
    """Remove the folders of runs whose every process was killed before it could."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        pid = path.name.removeprefix(PREFIX).split("-")[0]
        with contextlib.suppress(OSError):
            if path.stat().st_uid == os.getuid() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(path, ignore_errors=True)
