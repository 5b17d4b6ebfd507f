"""An actor's checkpoints: a file for each round, of which the newest good one is gone on from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import version as installed
from typing import Any

from tether.actors.state import File, opened, pieces
from tether.actors.storage import Storage

KEPT = 2
"""Checkpoints kept of each actor: one may be damaged, or of a round that others have not taken."""
FILE = re.compile(r"([^-.]+)-(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.safetensors")


@cache
def version() -> str:
    """Return the version of tether that writes."""
    return installed("tether")


@dataclass(frozen=True, slots=True)
class About:
    """What a checkpoint is of, kept in the file's metadata.

    `cls` is "module:Class"; `round` counts the run's rounds of checkpoints from 1 on; `step` is the
    last one reported; `handled` counts by sender what this incarnation had handled.
    """

    actor: str
    cls: str
    incarnation: int
    round: int
    step: int = 0
    handled: Mapping[str, int] = field(default_factory=dict)
    version: str = field(default_factory=version)

    @property
    def metadata(self) -> dict[str, str]:
        """The texts that a file's metadata holds of it."""
        plain = {each.name: str(getattr(self, each.name)) for each in fields(self)}
        return plain | {"handled": json.dumps(dict(self.handled))}

    @classmethod
    def from_metadata(cls, texts: Mapping[str, str]) -> About:
        """Return what `metadata` gave; raises ValueError when it is not there."""
        try:
            given: dict[str, Any] = {each.name: texts[each.name] for each in fields(cls)}
            given |= {name: int(given[name]) for name in ("incarnation", "round", "step")}
            handled = json.loads(given["handled"]).items()
            return cls(**given | {"handled": {str(key): int(count) for key, count in handled}})
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ValueError("it does not say which actor's checkpoint it is") from error


def name(actor: str, n: int) -> str:
    """Return the name of an actor's checkpoint of round n.

    >>> name("worker/3", 12)
    'worker-3.12.safetensors'
    """
    return f"{actor.replace('/', '-')}.{n}.safetensors"


def parsed(name: str) -> tuple[str, int] | None:
    """Return the actor and the round a name is for, or None when it is no checkpoint's.

    Tables are identifiers, which have no dash, so it is one actor's only.
    """
    found = FILE.fullmatch(name)
    if found is None or not found[1].isidentifier():
        return None
    return f"{found[1]}/{found[2]}", int(found[3])


class Checkpoints:
    """The checkpoints of a run; each actor's are written by that actor alone."""

    def __init__(self, storage: Storage, folder: str = "checkpoints") -> None:
        self.storage = storage
        self.folder = folder
        """What sentences about a file put before its name."""

    def write(self, about: About, state: Any) -> None:
        """Keep a state as its actor's checkpoint of this round, and remove all but the newest two.

        Meant for a thread: what takes long in it does not hold the interpreter's lock. Raises
        TypeError naming what cannot be kept, OSError when the disk is full.
        """
        self.storage.write(name(about.actor, about.round), pieces(state, about.metadata))
        self.forget(about.actor, self.rounds(about.actor)[KEPT:])

    def forget(self, actor: str, rounds: Sequence[int]) -> None:
        """Remove an actor's checkpoints of these rounds."""
        for n in rounds:
            self.storage.remove(name(actor, n))

    def all(self) -> dict[str, list[int]]:
        """Return the rounds of every actor that has checkpoints, newest first."""
        found: dict[str, list[int]] = {}
        for actor, n in filter(None, map(parsed, self.storage.names())):
            found.setdefault(actor, []).append(n)
        return {actor: sorted(rounds, reverse=True) for actor, rounds in found.items()}

    def rounds(self, actor: str) -> list[int]:
        """Return the rounds an actor has checkpoints of, newest first."""
        return self.all().get(actor, [])

    def file(self, actor: str, n: int) -> str:
        """Return how a sentence calls a checkpoint."""
        return f"{self.folder}/{name(actor, n)}"

    def examine(self, actor: str, n: int) -> About:
        """Return what a checkpoint says of itself, having read all of it, but without torch.

        Raises ValueError saying what is wrong with it, OSError when it cannot be read.
        """
        return self._opened(actor, n)[0]

    def read(self, actor: str, n: int) -> tuple[About, Any]:
        """Return a checkpoint; raises as `examine` does."""
        about, file = self._opened(actor, n)
        return about, file.state()

    def newest(
        self,
        actor: str,
        cls: str,
        refused: Callable[[str], None],
        rounds: Sequence[int] | None = None,
    ) -> tuple[About, Any] | None:
        """Return an actor's newest good checkpoint, of these rounds only if any are given.

        `refused` is told in a sentence of each newer one that is not good. Returns None when there
        is none at all, and raises ValueError when there are some, but none is good.
        """
        there = [n for n in self.rounds(actor) if rounds is None or n in rounds]
        bad: list[str] = []
        for n in there:
            try:
                found = self.read(actor, n)
                check_class(found[0], cls)
            except (OSError, ValueError) as error:
                bad.append(f"{self.file(actor, n)}: {error}")
                continue
            _tell(refused, bad, "; the one before it is used")
            return found
        _tell(refused, bad, "")
        if bad:
            raise ValueError(f"{actor} has no good checkpoint: {'; '.join(bad)}")
        return None

    def _opened(self, actor: str, n: int) -> tuple[About, File]:
        file = opened(self.storage.read(name(actor, n)))
        about = About.from_metadata(file.about)
        if (about.actor, about.round) != (actor, n):
            raise ValueError(
                f"it is that of {about.actor} of round {about.round}, but that of {actor} of round "
                f"{n} is wanted"
            )
        return about, file


def check_class(about: About, cls: str) -> None:
    """Raise ValueError unless a checkpoint is of an actor of this class."""
    if about.cls != cls:
        raise ValueError(f"it is of {about.cls}, but {about.actor} is a {cls}")


def _tell(refused: Callable[[str], None], bad: Sequence[str], ending: str) -> None:
    for sentence in bad[:-1]:
        refused(sentence)
    for sentence in bad[-1:]:
        refused(sentence + ending)
