"""A log an actor: what it prints goes to its own file, though many share a process."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from tether.actors.context import acting


class Log(io.TextIOWrapper):
    """Text in a file on a disk that may be full: what finds no room is dropped, and kills nobody.

    What ends a run then is a checkpoint that cannot be written, and that has a reason to tell.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, "utf-8", "backslashreplace", line_buffering=True, write_through=True)

    def write(self, text: str) -> int:
        """Write what there is room for."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what there is room for."""
        with suppress(OSError):
            super().flush()


class ActorLog(io.TextIOBase):
    """Writes to the log of whichever actor is acting, else to the process's."""

    def __init__(self, folder: Path, process: TextIO) -> None:
        self._folder = folder
        self._process = process
        self._files: dict[str, TextIO] = {}

    def writable(self) -> bool:
        """Say that this stream is written to."""
        return True

    def write(self, text: str) -> int:
        """Write to the acting actor's log."""
        return self._stream().write(text)

    def flush(self) -> None:
        """Hand on what was written, of all actors."""
        for stream in (self._process, *self._files.values()):
            stream.flush()

    def close(self) -> None:
        """Close the actors' logs; the process's is not ours."""
        super().close()
        for file in self._files.values():
            file.close()

    def _stream(self) -> TextIO:
        here = acting.get()
        if here is None:
            return self._process
        name = here.cell.name
        if name not in self._files:
            self._files[name] = Log(log_path(self._folder, name).open("ab"))
        return self._files[name]


def log_path(folder: Path, actor: str) -> Path:
    """Return where an actor's log is kept."""
    return folder / f"{actor.replace('/', '-')}.log"


def log_what_fits() -> None:
    """Have this process print into logs that drop what their disk has no room for."""
    sys.stdout.flush()
    sys.stderr.flush()
    sys.stdout, sys.stderr = Log(sys.stdout.buffer), Log(sys.stderr.buffer)


def log_to_actors(folder: Path, actors: list[str]) -> None:
    """Give each actor of this process its own log; one that is alone has the process's."""
    if len(actors) > 1:
        sys.stdout = ActorLog(folder, sys.stdout)
        before, sys.stderr = sys.stderr, ActorLog(folder, sys.stderr)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(sys.stderr)
