"""A run's own folder: its wiring, metrics, logs, final states, plot and summary."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from tether.actors.state import load


class StateFolder:
    """A folder of states that are there whole or not at all, whatever is killed when."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, data: bytes) -> None:
        """Replace what is kept under a name: written aside, forced to disk, then renamed."""
        self.path.mkdir(parents=True, exist_ok=True)
        part = self.path / f".{name}.part"
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path / name)
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, name: str) -> bytes:
        """Return what is kept under a name; FileNotFoundError when there is nothing."""
        return (self.path / name).read_bytes()

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(path.name for path in self.path.glob("*.safetensors"))


class RunFolder:
    """The folder of one run, made when it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states = StateFolder(path / "state")
        self.logs = path / "logs"

    @classmethod
    def create(cls, name: str, path: Path | None = None) -> RunFolder:
        """Make a run's folder: `path`, which has to be new or empty, or `runs/NAME-TIME`."""
        if path is None:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            path = _unused(Path("runs") / f"{name}-{stamp}")
        if path.exists() and any(path.iterdir()):
            raise FileExistsError(f"{path} is not empty, but a run wants a folder of its own")
        folder = cls(path.absolute())
        folder.logs.mkdir(parents=True)
        return folder

    def write_agent(self, pid: int) -> None:
        """Note which process conducts the run, for `tether stop`."""
        (self.path / "agent.json").write_text(json.dumps({"pid": pid}) + "\n")

    def agent(self) -> int | None:
        """Return the process that conducts the run, or None when it has ended."""
        try:
            return int(json.loads((self.path / "agent.json").read_text())["pid"])
        except FileNotFoundError:
            return None

    def remove_agent(self) -> None:
        """Note that the run has ended."""
        (self.path / "agent.json").unlink(missing_ok=True)


def _unused(path: Path) -> Path:
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def state_name(actor: str) -> str:
    """Return the name under which an actor's state is kept."""
    return f"{actor.replace('/', '-')}.safetensors"


def final_state(run: Path, actor: str) -> Any:
    """Return the state an actor ended a run with, as its `state_dict` gave it.

    `actor` is a name like "worker/3", or "center" for "center/0"; FileNotFoundError names the
    states there are.
    """
    states = StateFolder(run / "state")
    name = state_name(actor if "/" in actor else f"{actor}/0")
    if name not in states.names():
        there = ", ".join(states.names()) or "none"
        raise FileNotFoundError(f"{run} keeps no state of {actor}; it keeps {there}")
    return load(states.read(name))
