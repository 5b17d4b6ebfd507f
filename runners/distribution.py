"""How long something takes: always the same, drawn by chance, or as it was once measured."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, Literal

from tether.runners.problems import Problems, Where, nearest
from tether.runners.quantities import seconds

Kind = Literal["fixed", "uniform", "lognormal", "exponential", "trace"]
Sampler = Callable[[], float]
"""Draws the next time, in seconds."""
SIZES = {"uniform": 2, "lognormal": 2, "exponential": 1, "trace": 1}
WANTED = {
    "uniform": 'the shortest and the longest are wanted, as ["10ms", "30ms"]',
    "lognormal": 'the median and σ of the logarithm are wanted, as ["20ms", 0.3]',
    "exponential": 'the mean is wanted, as "5s"',
    "trace": "times are wanted, or a file with one in each line",
}


@dataclass(frozen=True, slots=True)
class Distribution:
    """Times in seconds: of a `kind`, with its numbers.

    fixed: the time; uniform: the least and the most; lognormal: median, and σ of the logarithm;
    exponential: the mean; trace: the times, gone through again and again.
    """

    kind: Kind
    numbers: tuple[float, ...]

    def sampler(self, random: Random) -> Sampler:
        """Return what draws one time after the other from a generator."""
        numbers = self.numbers
        if self.kind == "fixed":
            return lambda: numbers[0]
        if self.kind == "uniform":
            return lambda: random.uniform(*numbers)
        if self.kind == "lognormal":
            return lambda: numbers[0] * math.exp(random.gauss(0.0, numbers[1]))
        if self.kind == "exponential":
            return lambda: random.expovariate(1.0) * numbers[0]
        return cycle(numbers).__next__

    @property
    def is_zero(self) -> bool:
        """Whether it is always 0."""
        return not any(self.numbers)


def fixed(time: float) -> Distribution:
    """Return the distribution of what always takes the same time."""
    return Distribution("fixed", (time,))


def read(raw: Any, where: Where, problems: Problems, folder: Path) -> Distribution:
    """Return a distribution as a file has it: "20ms", or { lognormal = ["20ms", 0.3] }."""
    if not isinstance(raw, Mapping):
        return fixed(seconds(raw, where, problems))
    kind = next(iter(raw), "")
    if len(raw) != 1 or kind not in SIZES:
        known = ", ".join(SIZES)
        text = f"there is no such distribution{nearest(str(kind), SIZES)}; there are {known}"
        problems.add(where.holds(dict(raw)), text)
        return fixed(0.0)
    return _read(kind, raw[kind], where.at(kind), problems, folder)


def _read(kind: Any, raw: Any, where: Where, problems: Problems, folder: Path) -> Distribution:
    if kind == "trace":
        return _trace(raw, where, problems, folder)
    items = list(raw) if isinstance(raw, Sequence) and not isinstance(raw, str) else [raw]
    if len(items) != SIZES[kind]:
        problems.add(where.holds(raw), WANTED[kind])
        return fixed(0.0)
    if kind == "lognormal" and not (type(items[1]) in (int, float) and 0 <= items[1] < math.inf):
        problems.add(where.holds(raw), WANTED[kind])
        return fixed(0.0)
    numbers = [seconds(item, where, problems) for item in items]
    if kind == "uniform" and numbers[0] > numbers[1]:
        problems.add(where.holds(raw), WANTED[kind])
    return Distribution(kind, tuple(numbers))


def _trace(raw: Any, where: Where, problems: Problems, folder: Path) -> Distribution:
    times = raw
    if isinstance(raw, str):
        try:
            times = (folder / raw).read_text().split()
        except (OSError, UnicodeDecodeError) as error:
            problems.add(where.holds(raw), f"this file cannot be read: {error}")
            return fixed(0.0)
    if not isinstance(times, Sequence) or not times:
        problems.add(where.holds(raw), WANTED["trace"])
        return fixed(0.0)
    return Distribution("trace", tuple(seconds(_plain(time), where, problems) for time in times))


def _plain(time: Any) -> Any:
    """Return a number in a trace's file as one; a text with a unit stays."""
    number = re.fullmatch(r"[\d.]+(e-?\d+)?", time) if isinstance(time, str) else None
    return float(time) if number else time
