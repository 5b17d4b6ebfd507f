"""What a comparison is made of: trainings that have a name, and what is claimed of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

from play import Training

Results = Mapping[str, Sequence[Mapping[str, Any]]]
"""What came of each row, with every seed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A training under a name; `eta` is the key of its learning rate, where that is tuned."""

    name: str
    training: Training
    eta: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """That one row exceeds another by more than `least`, or that both are within `most`.

    It holds where that is so by two standard errors of the mean difference over seeds. A number may
    stand for one of the rows.
    """

    text: str
    larger: str | float
    smaller: str | float
    of: str = "error"
    least: float = 0.0
    most: float | None = None

    def check(self, results: Results) -> Verdict:
        """Compare the two, seed by seed."""
        differences = [
            one - other
            for one, other in zip(
                self._values(self.larger, results),
                self._values(self.smaller, results),
                strict=False,
            )
        ]
        mean, error = statistics.mean(differences), standard_error(differences)
        if self.most is None:
            return Verdict(self, mean, error, mean - self.least > 2 * error)
        return Verdict(self, mean, error, abs(mean) + 2 * error < self.most)

    def _values(self, side: str | float, results: Results) -> Iterable[float]:
        if isinstance(side, str):
            return [each[self.of] for each in results[side]]
        return repeat(side)

    @property
    def wanted(self) -> str:
        """What the difference has to be."""
        return f"> {self.least:g}" if self.most is None else f"within ±{self.most:g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a claim."""

    claim: Claim
    difference: float
    error: float
    holds: bool

    def __str__(self) -> str:
        claim, word = self.claim, "holds" if self.holds else "does NOT hold"
        number = f"{self.difference:+.4g} ± {self.error:.2g}, wanted {claim.wanted}"
        return f"{word}: {claim.text} ({claim.of} of {claim.larger} − {claim.smaller}: {number})"


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that are compared with each other."""

    key: str
    title: str
    rows: Sequence[Row]
    claims: Sequence[Claim]
    columns: Sequence[str]
    """What of each row stands in the table; without any there is none."""
    draw: Callable[[Results, Path], None]
    """Makes the figure."""
    derive: Callable[[Results], Results] = lambda results: results
    """Adds what follows from the rows together."""
    chance: bool = True
    """Whether a row depends on the seed."""
    hard: Sequence[Claim] = ()
    """Claims about images that are harder to tell apart than digits."""

    def harder(self) -> Section:
        """Return the section for such images."""
        return replace(self, claims=[*self.claims, *self.hard])


def standard_error(values: Sequence[float]) -> float:
    """Return that of the mean of some values; 0 of a single one, which has no chance in it."""
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def shown(found: Sequence[Mapping[str, float]], of: str) -> str:
    """Return mean and standard error over seeds."""
    values = [each[of] for each in found if of in each]
    if not values:
        return ""
    mean, error = statistics.mean(values), standard_error(values)
    digits = 4 if abs(mean) < 10 else 0
    return f"{mean:.{digits}f} ± {error:.{digits}f}" if error else f"{mean:.{digits}f}"
