"""What a simulation measures: how stale messages are, and how far learners are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

SAMPLES = 4096
"""Ages that are kept of each edge: drawn so that each message has the same chance."""
LOOKS = 400
"""Looks at disagreement that are kept at most; then every second one is forgotten."""


class Age(NamedTuple):
    """How old a message was when it was begun: seconds, and messages its receiver began since."""

    seconds: float
    messages: int


@dataclass(slots=True)
class Ages:
    """The ages of the messages between two tables."""

    count: int = 0
    oldest: float = 0.0
    most: int = 0
    samples: list[Age] = field(default_factory=list)


class Staleness:
    """How stale messages are when their handling begins, by the tables of sender and receiver."""

    def __init__(self, random: Random) -> None:
        self.edges: dict[tuple[str, str], Ages] = {}
        self._random = random.random
        self._ages: dict[tuple[str, str], Ages] = {}

    def add(self, source: str, target: str, seconds: float, messages: int) -> None:
        """Count a message."""
        ages = self._ages.get((source, target)) or self._between(source, target)
        ages.count += 1
        if seconds > ages.oldest:
            ages.oldest = seconds
        if messages > ages.most:
            ages.most = messages
        if len(ages.samples) < SAMPLES:
            ages.samples.append(Age(seconds, messages))
        elif (place := int(self._random() * ages.count)) < SAMPLES:
            ages.samples[place] = Age(seconds, messages)

    def _between(self, source: str, target: str) -> Ages:
        edge = source.partition("/")[0], target.partition("/")[0]
        ages = self._ages[source, target] = self.edges.setdefault(edge, Ages())
        return ages


class Look(NamedTuple):
    """‖xⁱ − x̄‖ over the learners of a table at a moment: the mean and the largest."""

    t: float
    mean: float
    largest: float


class Disagreement:
    """How far the learners of each table are from their mean, at moments spread over the run."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Look]] = {}
        self._skipped = 0
        self._stride = 1

    def look(self, t: float, actors: Mapping[str, Any]) -> None:
        """Look at all learners, unless the last look was just before."""
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        for table, vectors in learned(actors).items():
            if len(vectors) > 1:
                self.tables.setdefault(table, []).append(_apart(t, vectors))
        if any(len(looks) > LOOKS for looks in self.tables.values()):
            self._stride *= 2
            for looks in self.tables.values():
                del looks[::2]


def learned(actors: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return by table the vectors that actors learn: `learner.x`, all of one size."""
    found: dict[str, list[Any]] = {}
    for name, actor in actors.items():
        x = getattr(getattr(actor, "learner", None), "x", None)
        if x is not None:
            vectors = found.setdefault(name.partition("/")[0], [])
            if not vectors or vectors[0].shape == x.shape:
                vectors.append(x)
    return found


def _apart(t: float, vectors: Sequence[Any]) -> Look:
    import torch

    x = torch.stack([vector.detach().cpu().double() for vector in vectors])
    distances = (x - x.mean(0)).norm(dim=1)
    return Look(t, float(distances.mean()), float(distances.max()))


def quantile(sorted_: Sequence[float], share: float) -> float:
    """Return the value below which a share of some sorted numbers lies; 0 of none."""
    return float(sorted_[min(len(sorted_) - 1, int(share * len(sorted_)))]) if sorted_ else 0.0
