"""Which process conducts a run: told apart from a later one that was given the same id."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

FILE = "agent.json"
GONE = {"Z", "X"}
"""States in /proc of a process that has ended and was not yet waited for."""


class Stat(NamedTuple):
    """What the kernel says of a process: its state, and its start in ticks since boot."""

    state: str
    started: int


def identity() -> dict[str, Any]:
    """Return who this process is, in words for a file: its id and when it was started."""
    pid = os.getpid()
    stat = _stat(pid)
    return {"pid": pid, "started": None if stat is None else stat.started}


def alive(identity: Mapping[str, Any]) -> bool:
    """Return whether a process lives, and is not another one that was given its id since.

    Where there is no /proc, the id alone tells.
    """
    pid, started = int(identity["pid"]), identity.get("started")
    stat = _stat(pid)
    if stat is None:
        return _exists(pid)
    return stat.state not in GONE and started in (None, stat.started)


def conducting(run: Path) -> dict[str, Any] | None:
    """Return the identity of the process a run's folder names as its agent, None if it has none.

    ValueError when what is there names no process.
    """
    path = run / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        fields = dict(json.loads(text))
        if not 0 < fields["pid"] < 2**31:  # to a signal, 0 and less mean whole groups of processes
            raise ValueError(fields["pid"])
        return {"pid": int(fields["pid"]), "started": fields.get("started")}
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f'{path}: {text[:80]!r} names no process; something like {{"pid": 4711}} is wanted'
        ) from error


def _stat(pid: int) -> Stat | None:
    """Return what /proc says of a process, None where it says nothing."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # a program's name may have blanks and brackets
    return Stat(fields[0], int(fields[19]))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
