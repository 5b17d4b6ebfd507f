"""What is wrong with a wiring: all of it is collected, then said together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from reprlib import Repr
from typing import Any

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlist = _SHORT.maxdict = 6


class WiringError(Exception):
    """A wiring cannot be run as written; `problems` holds one sentence for each fault."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Problems:
    """Collects faults in the order they are met, each once."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    def add(self, where: object, text: str) -> None:
        """Report one fault: where it stands, what was found and what was wanted."""
        self._found[f"{where}: {text}" if where else text] = None

    def __len__(self) -> int:
        return len(self._found)

    def check(self) -> None:
        """Raise WiringError if anything was reported."""
        if self._found:
            raise WiringError(tuple(self._found))


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a wiring file: a table, and the keys that lead to a value in it."""

    table: str
    keys: tuple[str, ...] = ()

    def at(self, key: object) -> Where:
        """Return the place of a key (or of an array's item, by number) under this one."""
        step = f"[{key}]" if isinstance(key, int) else str(key)
        return Where(self.table, (*self.keys, step))

    def holds(self, value: Any) -> str:
        """Return the place with what stands there, as `[worker] tau = 10`."""
        return f"{self} = {written(value)}"

    def __str__(self) -> str:
        dotted = "".join(key if key.startswith("[") else f".{key}" for key in self.keys)
        return f"[{self.table}] {dotted.removeprefix('.')}" if dotted else f"[{self.table}]"


def written(value: Any) -> str:
    """Return a value about as the file has it, cut to one short line."""
    if isinstance(value, bool):
        return str(value).lower()
    return _SHORT.repr(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean tau?)" where one of `known` looks much like `word`, else ""."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def listed(names: Iterable[str]) -> str:
    """Return names in one line, or "nothing" for none."""
    return ", ".join(names) or "nothing"
