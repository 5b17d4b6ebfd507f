"""A run's own folder: its wiring, metrics, logs, final states, plot and summary."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tether.actors.state import load
from tether.actors.storage import Piece
from tether.runners.agent import FILE as AGENT
from tether.runners.agent import alive, conducting, identity

INCARNATIONS = "incarnations.json"


class StateFolder:
    """A folder of states that are there whole or not at all, whatever is killed when."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._swept: set[str] = set()

    def write(self, name: str, pieces: Iterable[Piece]) -> None:
        """Replace what is kept under a name: written aside, forced to disk, then renamed."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._sweep(name.partition(".")[0])
        part = self.path / f".{name}.part"
        try:
            with part.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
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

    def _sweep(self, actor: str) -> None:
        """Remove what an actor's killed incarnation had begun to write; others may be writing."""
        if actor not in self._swept:
            self._swept.add(actor)
            for part in self.path.glob(f".{actor}.*part"):
                part.unlink(missing_ok=True)

    def read(self, name: str) -> bytes:
        """Return what is kept under a name; FileNotFoundError when there is nothing."""
        return (self.path / name).read_bytes()

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(path.name for path in self.path.glob("*.safetensors"))

    def remove(self, name: str) -> None:
        """Forget what is kept under a name; nothing happens when there is nothing."""
        (self.path / name).unlink(missing_ok=True)


class RunFolder:
    """The folder of one run, made when it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states = StateFolder(path / "state")
        self.checkpoints = StateFolder(path / "checkpoints")
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

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Return the folder of a run that is to go on.

        FileNotFoundError when it is none, FileExistsError while the run still goes on.
        """
        if not (path / "plan.json").is_file():
            raise FileNotFoundError(f"{path} is no run directory, so there is nothing to resume")
        agent = conducting(path)
        if agent is not None and alive(agent):
            raise FileExistsError(f"{path} is still run by process {agent['pid']}; stop it first")
        folder = cls(path.absolute())
        folder.logs.mkdir(parents=True, exist_ok=True)
        return folder

    def write_agent(self) -> None:
        """Note that this process conducts the run, for `tether stop`."""
        (self.path / AGENT).write_text(json.dumps(identity()) + "\n")

    def remove_agent(self) -> None:
        """Note that the run has ended."""
        (self.path / AGENT).unlink(missing_ok=True)

    def remember(self, incarnations: Mapping[str, int]) -> None:
        """Note the last incarnation of each actor."""
        part = self.path / f".{INCARNATIONS}.part"
        part.write_text(json.dumps(incarnations, indent=1) + "\n")
        part.replace(self.path / INCARNATIONS)

    def incarnations(self) -> dict[str, int]:
        """Return the last incarnation of each actor that was ever started here."""
        path = self.path / INCARNATIONS
        found: dict[str, int] = json.loads(path.read_text()) if path.is_file() else {}
        return found


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
    states there are, ValueError says what is wrong with the file.
    """
    states = StateFolder(run / "state")
    name = state_name(actor if "/" in actor else f"{actor}/0")
    if name not in states.names():
        there = ", ".join(states.names()) or "none"
        raise FileNotFoundError(f"{run} keeps no state of {actor}; it keeps {there}")
    try:
        return load(states.read(name))
    except ValueError as error:
        raise ValueError(f"{states.path / name}: {error}") from error
