"""The topology of a plan as a drawing in text: a box a table, an arrow an argument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tether.runners.edges import edges, reaches
from tether.runners.spec import Plan

UP, RIGHT, DOWN, LEFT = 1, 2, 4, 8
STROKES = " │─└││┌├─┘─┴┐┤┬┼"
"""By the sum of the directions that a line leaves a point in."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow between two boxes (by number), and what is written on it."""

    source: int
    target: int
    label: str


@dataclass(slots=True)
class Canvas:
    """Characters on a grid; lines that cross or meet are joined."""

    strokes: dict[tuple[int, int], int] = field(default_factory=dict)
    letters: dict[tuple[int, int], str] = field(default_factory=dict)

    def line(self, row: int, column: int, row_end: int, column_end: int) -> None:
        """Draw a horizontal or vertical line between two points."""
        if row == row_end:
            first, last = sorted((column, column_end))
            points, ahead, back = [(row, c) for c in range(first, last + 1)], RIGHT, LEFT
        else:
            first, last = sorted((row, row_end))
            points, ahead, back = [(r, column) for r in range(first, last + 1)], DOWN, UP
        for one, other in pairwise(points):
            self.strokes[one] = self.strokes.get(one, 0) | ahead
            self.strokes[other] = self.strokes.get(other, 0) | back

    def write(self, row: int, column: int, text: str) -> None:
        """Write over whatever is there."""
        self.letters.update({(row, column + i): letter for i, letter in enumerate(text)})

    def __str__(self) -> str:
        drawn = {point: STROKES[bits] for point, bits in self.strokes.items()}
        drawn |= self.letters
        height = max((row for row, _ in drawn), default=-1) + 1
        lines: list[list[str]] = [[] for _ in range(height)]
        for (row, column), letter in sorted(drawn.items()):
            lines[row].extend(" " * (column - len(lines[row])) + letter)
        return "\n".join("".join(line).rstrip() for line in lines)


def picture(plan: Plan) -> str:
    """Return a drawing of who talks to whom: boxes are tables, arrows arguments and transports."""
    tables = list(dict.fromkeys(spec.table for spec in plan.actors))
    arrows = _arrows(plan, tables)
    ports = [_ports(number, arrows) for number in range(len(tables))]
    texts = [_text(plan, name) for name in tables]
    width = max(len(line) for text in texts for line in text) + 4
    canvas, rows, top = Canvas(), {}, 0
    for number, text in enumerate(texts):
        height = max(len(text), len(ports[number]))
        _draw_box(canvas, top, width, height, text)
        for offset, port in enumerate(ports[number], 1):
            rows[port] = top + offset
        top += height + 2
    _draw_arrows(canvas, arrows, rows, width)
    return str(canvas)


def _text(plan: Plan, name: str) -> list[str]:
    specs = plan.table(name)
    module, _, cls = specs[0].actor.partition(":")
    lines = [f"{name}{_size(plan, name)}", f"{module.rpartition('.')[2]}:{cls}"]
    places = Counter(
        f"{spec.host}/{_device(spec.gpu)}" if spec.host else _device(spec.gpu) for spec in specs
    )
    shown = [f"{place} ×{size}" if size > 1 else place for place, size in places.items()]
    return lines + [" ".join(shown[i : i + 4]) for i in range(0, len(shown), 4)]


def _size(plan: Plan, name: str) -> str:
    """Return how many actors a table has, unless it is one; of a live one, between how many."""
    if name in plan.bounds:
        bounds = plan.bounds[name]
        return f" ×{bounds.start} ({bounds.min}\N{EN DASH}{bounds.max})"
    size = len(plan.table(name))
    return f" ×{size}" if size > 1 else ""


def _device(gpu: int | None) -> str:
    return "cpu" if gpu is None else f"gpu{gpu}"


def _arrows(plan: Plan, tables: Sequence[str]) -> list[Arrow]:
    """One arrow for each argument that joins two tables, whatever the transports."""
    carried: dict[tuple[str, str, str], dict[str, int]] = {}
    for edge in edges(plan):
        key = (edge.source, edge.target, edge.argument)
        carried.setdefault(key, {})[edge.transport] = edge.count
    arrows = []
    for (source, target, argument), transports in carried.items():
        each = _each(plan, source, target, argument)
        told = " + ".join(
            f"{count} {name}" if len(transports) > 1 else name for name, count in transports.items()
        )
        label = f"{argument}{each} · {told}{_compressed(plan, source, target)}"
        arrows.append(Arrow(tables.index(source), tables.index(target), label))
    return arrows


def _compressed(plan: Plan, source: str, target: str) -> str:
    """Return the codec of what goes over an arrow, and that of the answers."""
    codecs = {(one.source, one.target): str(one) for one in plan.codecs}
    there, back = codecs.get((source, target), ""), codecs.get((target, source), "")
    if source == target:
        back = ""
    return (f" · {there}" if there else "") + (f" · answers {back}" if back else "")


def _each(plan: Plan, source: str, target: str, argument: str) -> str:
    """Return how many actors of `target` each of `source` has in an argument, if not one."""
    sizes = {
        sum(key == argument and name.startswith(f"{target}/") for key, name in reaches(spec))
        for spec in plan.table(source)
    }
    low, high = min(sizes), max(sizes)
    if low == high:
        return f" ×{high}" if high > 1 else ""
    return f" ×{low}-{high}"


def _ports(number: int, arrows: Sequence[Arrow]) -> list[tuple[Arrow, bool]]:
    """Return a box's arrow ends, top to bottom, so that few arrows cross; True = it starts here."""
    above: list[tuple[int, tuple[Arrow, bool]]] = []
    below: list[tuple[int, tuple[Arrow, bool]]] = []
    loops: list[tuple[Arrow, bool]] = []
    for arrow in arrows:
        if arrow.source == arrow.target == number:
            loops += [(arrow, True), (arrow, False)]
        elif number in (arrow.source, arrow.target):
            other = arrow.target if arrow.source == number else arrow.source
            side = below if other > number else above
            side.append((other, (arrow, arrow.source == number)))
    near_first = sorted(above, key=lambda end: -end[0])
    far_first = sorted(below, key=lambda end: -end[0])
    return [end for _, end in near_first] + loops + [end for _, end in far_first]


def _draw_box(canvas: Canvas, top: int, width: int, height: int, text: Iterable[str]) -> None:
    bottom, right = top + height + 1, width - 1
    canvas.line(top, 0, top, right)
    canvas.line(bottom, 0, bottom, right)
    canvas.line(top, 0, bottom, 0)
    canvas.line(top, right, bottom, right)
    for offset, line in enumerate(text, 1):
        canvas.write(top + offset, 2, line)


def _draw_arrows(
    canvas: Canvas,
    arrows: Sequence[Arrow],
    rows: dict[tuple[Arrow, bool], int],
    width: int,
) -> None:
    first = width + max((len(arrow.label) for arrow in arrows), default=0) + 5
    for arrow, lane in _lanes(arrows, rows).items():
        start, end, column = rows[arrow, True], rows[arrow, False], first + 3 * lane
        canvas.line(start, width - 1, start, column)
        canvas.line(start, column, end, column)
        canvas.line(end, width, end, column)
        canvas.write(start, width + 1, f" {arrow.label} ")
        canvas.write(end, width, "◀")


def _lanes(arrows: Sequence[Arrow], rows: dict[tuple[Arrow, bool], int]) -> dict[Arrow, int]:
    """Give each arrow a column, short ones nearest the boxes, so that none lies on another."""
    spans = {arrow: sorted((rows[arrow, True], rows[arrow, False])) for arrow in arrows}
    lanes: dict[Arrow, int] = {}
    for arrow in sorted(arrows, key=lambda arrow: spans[arrow][1] - spans[arrow][0]):
        first, last = spans[arrow]
        overlapping = [
            lane
            for other, lane in lanes.items()
            if spans[other][0] <= last >= first <= spans[other][1]
        ]
        lanes[arrow] = 1 + max(overlapping, default=-1)
    return lanes
