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
            process: (f"unix://{self.path}/{index}.c", f"unix://{self.path}/{index}.b")
            for index, process in enumerate(processes)
        }

    def remove(self) -> None:
        """Remove the folder and what is left in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def remove_orphaned(addresses: Mapping[str, tuple[str, str]], process: str) -> None:
    """Remove the folder a process listens in, whose agent is dead: nobody else will.

    All of the agent's processes do so as they die, and the first takes it away at once: who has not
    yet begun to listen there cannot do so any more. Who listens on ports alone has none.
    """
    if process not in addresses:
        return
    folder = Path(addresses[process][0].partition("://")[2]).parent
    away = folder.with_name(f"{folder.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of runs whose every process was killed before it could."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}[0-9]*-*"):
        pid = path.name.removeprefix(PREFIX).split("-")[0]
        with contextlib.suppress(OSError):
            if path.stat().st_uid == os.getuid() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(path, ignore_errors=True)
