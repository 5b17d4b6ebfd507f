"""Files on their way from another host to home: the final states and the logs of its actors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tether.runners.folder import RunFolder, state_name
from tether.runners.logs import log_path
from tether.runners.spec import Plan

PIECE = 1 << 20
"""Bytes of a file that travel in one message."""
FOLDERS = ("state", "logs")


def parcels(plan: Plan, host: str, folder: RunFolder) -> dict[str, Path]:
    """Return the files that a host's actors may leave, as "folder/name"."""
    names = set()
    for process, specs in plan.processes(host).items():
        names.add(folder.logs / f"{process}.log")
        for spec in specs:
            names.add(log_path(folder.logs, spec.name))
            names.add(folder.states.path / state_name(spec.name))
    return {f"{path.parent.name}/{path.name}": path for path in sorted(names)}


def pieces(plan: Plan, host: str, folder: RunFolder) -> Iterator[tuple[Any, ...]]:
    """Yield the messages in which the files that are there travel."""
    for path in parcels(plan, host, folder).values():
        if not path.is_file():
            continue
        offset, size = 0, path.stat().st_size
        with path.open("rb") as file:
            while True:
                data = file.read(PIECE)
                last = len(data) < PIECE or offset + len(data) == size
                yield ("file", path.parent.name, path.name, offset, data, last)
                offset += len(data)
                if last:
                    break


class Arrivals:
    """What comes of a host's files: each is there whole, or not at all."""

    def __init__(self, plan: Plan, host: str, folder: RunFolder) -> None:
        self._expected = parcels(plan, host, folder)

    def take(self, folder: str, name: str, offset: int, data: bytes, *, last: bool) -> None:
        """Write a piece; a file that no actor of the host leaves is none of ours."""
        path = self._expected.get(f"{folder}/{name}")
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{name}.part")
        with part.open("ab" if offset else "wb") as file:
            file.write(data)
        if last:
            part.replace(path)
