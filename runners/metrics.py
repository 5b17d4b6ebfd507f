"""What the actors of a run measured, as lines of JSON that survive a crash."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

FILE = "metrics.jsonl"
RESERVED = ("t", "actor", "step")
TAIL = 1 << 16
"""Bytes at the end of a file that are looked through for its latest time: actors take turns to be
heard, so that the last line need not be the latest."""


@dataclass(frozen=True, slots=True)
class Report:
    """One `report(...)` of one actor, `t` seconds after the start of the run."""

    t: float
    actor: str
    step: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


class Curve(NamedTuple):
    """One metric of one actor in the order it was reported; equally long arrays of floats.

    `t` is in seconds since the start of the run; `step` is NaN where none was given.
    """

    t: array[float]
    step: array[float]
    value: array[float]


Curves = dict[tuple[str, str], Curve]
"""Curves by (actor, metric)."""


class MetricsFile:
    """Appends reports to a run's metrics; what follows the last whole line is cut off first.

    `last_t` is the time, in seconds, at which the reports already there end, 0 without any: a run
    that is resumed goes on from it. ValueError when the last lines are no reports.
    """

    def __init__(self, path: Path) -> None:
        _cut_torn_line(path)
        self.last_t = _last_t(path)
        self._file = path.open("a", encoding="utf-8")

    def append(
        self, t: float, actor: str, step: int | None = None, metrics: Mapping[str, float] = {}
    ) -> None:
        """Add one report; it is on disk after the next `flush`.

        ValueError when a metric has the name of one of the line's own fields.
        """
        for name in metrics:
            if name in RESERVED:
                raise ValueError(
                    f"{actor} reports a metric named {name!r}, which is a field of every line of "
                    f"{FILE}; another name is wanted"
                )
        values = {name: _finite(value) for name, value in metrics.items()}
        line = {"t": round(t, 6), "actor": actor} | ({} if step is None else {"step": step})
        self._file.write(json.dumps(line | values, allow_nan=False) + "\n")

    def flush(self) -> None:
        """Hand everything appended so far to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def reports(path: Path) -> Iterator[Report]:
    """Yield the reports of a metrics file, also while it is written; a torn last line is left out.

    A value that was not finite comes back as NaN. ValueError names the line that is no report.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.endswith(b"\n"):
                yield _report(line, f"{path.name}, line {number}")


def curves(path: Path) -> Curves:
    """Return every metric of every actor as a curve."""
    found: Curves = {}
    for report in reports(path):
        for name, value in report.metrics.items():
            key = (report.actor, name)
            curve = found.get(key)
            if curve is None:
                curve = found[key] = Curve(array("d"), array("d"), array("d"))
            curve.t.append(report.t)
            curve.step.append(math.nan if report.step is None else report.step)
            curve.value.append(value)
    return found


def _finite(value: float) -> float | None:
    """Return what JSON can say: numbers that are not finite become null."""
    return value if math.isfinite(value) else None


def _report(line: bytes, where: str) -> Report:
    try:
        fields: dict[str, Any] = json.loads(line)
        t, actor, step = float(fields.pop("t")), str(fields.pop("actor")), fields.pop("step", None)
        values = {name: math.nan if v is None else float(v) for name, v in fields.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{where}: {line[:80]!r} is no report; an object of t, actor and numbers is wanted"
        ) from error
    return Report(t, actor, step, values)


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, 2)
        while end > 0:
            start = max(0, end - 4096)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        file.truncate(end)


def _last_t(path: Path) -> float:
    """Return the latest time in the last whole lines of a file; the very last one always counts."""
    if not path.exists():
        return 0.0
    with path.open("rb") as file:
        end = file.seek(0, 2)
        size = TAIL
        while True:
            start = max(0, end - size)
            file.seek(start)
            lines = file.read(end - start).splitlines()[1 if start else 0 :]
            if lines or not start:
                break
            size *= 2
    where = f"{path.name}, among its last lines"
    return max((_report(line, where).t for line in lines), default=0.0)
