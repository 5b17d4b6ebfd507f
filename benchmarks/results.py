"""What came out: rows of medians over rounds, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.workloads import reference, unit

Found = Mapping[tuple[str, str], Sequence[float | None]]
"""The values of each row and system, one a round; None where a round failed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One system in one workload: over the rounds, and as ratio to the workload's reference."""

    workload: str
    system: str
    median: float
    min: float
    max: float
    unit: str
    ratio: float | None
    """Median of the rounds' own ratios; None where the reference was not measured."""

    @property
    def relative(self) -> str:
        """The ratio, and to which system it is."""
        other = reference(self.workload, self.system)
        return "-" if self.ratio is None else f"{self.ratio:.2f} × {other}"

    def plain(self) -> dict[str, object]:
        """Return what goes into the JSON file."""
        return {key: value for key, value in asdict(self).items() if key != "ratio"}


def rows(found: Found) -> list[Row]:
    """Return a row for each workload and system that was measured at least once."""
    made = []
    for (workload, system), values in found.items():
        good = [value for value in values if value is not None]
        if good:
            theirs = found.get((workload, reference(workload, system)), ())
            given = median(good), min(good), max(good), unit(workload), _ratio(values, theirs)
            made.append(Row(workload, system, *given))
    order = list(dict.fromkeys(row.workload for row in made))
    return sorted(made, key=lambda row: order.index(row.workload))


def _ratio(ours: Sequence[float | None], theirs: Sequence[float | None]) -> float | None:
    ratios = [a / b for a, b in zip(ours, theirs, strict=False) if a is not None and b]
    return median(ratios) if ratios else None


def table(made: Iterable[Row]) -> Table:
    """Return the rows as a table, with a line between workloads."""
    shown = Table("workload", "system", box=None)
    for name in ("median", "min", "max"):
        shown.add_column(name, justify="right")
    shown.add_column("unit")
    shown.add_column("× reference", justify="right")
    last = ""
    for row in made:
        if last not in {"", row.workload}:
            shown.add_section()
        last = row.workload
        values = [_figure(value) for value in (row.median, row.min, row.max)]
        shown.add_row(row.workload, row.system, *values, row.unit, row.relative)
    return shown


def _figure(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def markdown(made: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| workload | system | median (min..max) | unit | × reference |",
        "|---|---|---|---|---|",
    ]
    for row in made:
        low, high = _figure(row.min), _figure(row.max)
        values = f"{_figure(row.median)} ({low}..{high})"
        lines.append(f"| {row.workload} | {row.system} | {values} | {row.unit} | {row.relative} |")
    return "\n".join(lines)


def write(made: Iterable[Row], path: Path) -> None:
    """Write the rows as a JSON list."""
    text = json.dumps([row.plain() for row in made], indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def spread(name: str, durations: Sequence[int]) -> dict[str, float]:
    """Return the rows of a distribution given in nanoseconds: median, 99th percentile, maximum."""
    ordered = sorted(durations)
    return {
        f"{name}-p50": median(ordered) / 1000,
        f"{name}-p99": ordered[len(ordered) * 99 // 100] / 1000,
        f"{name}-max": ordered[-1] / 1000,
    }
