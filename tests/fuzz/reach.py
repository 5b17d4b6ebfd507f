"""Which lines of the code under trial are reached by some inputs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.contract import Breach, Target

ROOT = Path(__file__).parents[2]
FOLDERS = tuple(str(ROOT / folder) for folder in ("actors", "runners"))


class Reach:
    """The lines that have run, of all functions that were entered."""

    def __init__(self) -> None:
        self._run: dict[CodeType, set[int]] = {}

    def trace(self, frame: FrameType, _event: str, _what: Any) -> Any:
        """Follow the functions of ours; to be given to `sys.settrace`."""
        if not frame.f_code.co_filename.startswith(FOLDERS):
            return None
        run = self._run.setdefault(frame.f_code, set())

        def line(inner: FrameType, _event: str, _what: Any) -> Any:
            run.add(inner.f_lineno)
            return line

        return line

    @property
    def lines(self) -> tuple[int, int]:
        """How many lines have run, and how many the functions have."""
        whole = {code: {line for *_, line in code.co_lines() if line} for code in self._run}
        defined = {code: lines - {code.co_firstlineno} for code, lines in whole.items()}
        run = sum(len(self._run[code] & lines) for code, lines in defined.items())
        return run, sum(map(len, defined.values()))


def reached(target: Target, inputs: Iterable[bytes]) -> tuple[int, int]:
    """Return how many lines the inputs reach, and how many the functions they enter have."""
    reach = Reach()
    ends: tuple[type[Exception], ...] = (*target.errors, Breach)
    for data in inputs:
        sys.settrace(reach.trace)
        try:
            target.decode(data)
        except ends:
            continue
        finally:
            sys.settrace(None)
    return reach.lines
