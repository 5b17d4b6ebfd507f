"""What is known of a whole wiring while one actor's arguments are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tether.runners.imports import Imports
from tether.runners.problems import Problems, Where
from tether.runners.references import Seat


@dataclass(frozen=True, slots=True)
class Scene:
    """The tables of a file (class and size of each), and whose arguments are being read.

    A table whose class could not be loaded has None for it; what refers to it is not checked.
    """

    seat: Seat
    words: Mapping[str, int | str]
    classes: Mapping[str, type | None]
    counts: Mapping[str, int]
    imports: Imports
    problems: Problems
    notes: dict[str, None] = field(default_factory=dict)

    def trial(self) -> Scene:
        """Return the same scene with problems of its own, to try one member of a union."""
        return replace(self, problems=Problems(), notes={})

    def note(self, where: Where, text: str) -> None:
        """Remember what could not be checked, and why."""
        self.notes[f"{where}: {text}"] = None
