"""Draws who sends to whom in each wiring beside this file: `python figure.py` writes the figure.

What only looks on, `mean` and `evaluator`, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, hypot, pi, sin
from pathlib import Path
from typing import NamedTuple

from tether.runners.edges import reaches
from tether.runners.linker import link
from tether.runners.wiring import read

HERE = Path(__file__).parent
FIGURE = HERE.parents[1] / "docs" / "images" / "topologies.svg"
ROWS = {
    "star": ("center", "worker"),
    "synchronous": ("center", "worker"),
    "sharded": ("shard", "worker"),
    "tree": ("root", "left right", "left_leaf right_leaf"),
    "two_level": ("center_a tie center_b", "worker_a worker_b"),
    "gossip_of_centers": ("center", "worker/0 worker/2 worker/1 worker/3"),
    "ring": (),
    "complete": (),
    "one_peer_exponential": (),
}
"""Of each wiring the tables or actors of each row, from above; without rows all are on a circle."""
WIDTH, HEIGHT, COLUMNS = 210, 180, 3
RADIUS = 10
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">
<style>
text {{ font: 12px sans-serif; text-anchor: middle; fill: #222 }}
line {{ stroke: #666; stroke-width: 1.2; marker-end: url(#head) }}
.learns {{ fill: #4c84c4 }}
.averages {{ fill: #e39a36 }}
</style>
<marker id="head" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6"
orient="auto"><path d="M0 0L6 3L0 6z" fill="#666"/></marker>
<rect width="100%" height="100%" fill="#fff"/>
{panels}
</svg>
"""


class Point(NamedTuple):
    """A place in the figure, in pixels from its upper left corner."""

    x: float
    y: float


def figure() -> str:
    """Return the figure of all wirings as SVG."""
    panels = [line for number, name in enumerate(ROWS) for line in panel(number, name)]
    height = -(-len(ROWS) // COLUMNS) * HEIGHT
    return FRAME.format(width=COLUMNS * WIDTH, height=height, panels="\n".join(panels))


def panel(number: int, name: str) -> Iterator[str]:
    """Yield the arrows of a wiring, its actors, and its name below."""
    path = HERE / f"{name}.toml"
    row, column = divmod(number, COLUMNS)
    corner = Point(column * WIDTH, row * HEIGHT)
    arrows = sent(path)
    learn = {table for table, keys in read(path).items() if of_task(keys.get("learner"))}
    at = places(ROWS[name], list(dict.fromkeys(actor for pair in arrows for actor in pair)), corner)
    yield from (arrow(at[one], at[other]) for one, other in arrows)
    for actor, (x, y) in at.items():
        kind = "learns" if actor.partition("/")[0] in learn else "averages"
        yield f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"/>'
    yield f'<text x="{corner.x + WIDTH / 2:.1f}" y="{corner.y + HEIGHT - 12}">{name}</text>'


def sent(path: Path) -> list[tuple[str, str]]:
    """Return who sends to whom, each pair of actors once; without those who only look on."""
    plan = link(read(path), HERE, name=path.stem)
    there = {spec.name for spec in plan if spec.table not in {"mean", "evaluator"}}
    pairs = ((spec.name, other) for spec in plan for _, other in reaches(spec))
    return [pair for pair in dict.fromkeys(pairs) if set(pair) <= there and pair[0] != pair[1]]


def of_task(learner: object) -> bool:
    """Return whether a table's learner is the task's, and not one that rests."""
    return isinstance(learner, dict) and learner["make"] == "task:learner"


def places(rows: tuple[str, ...], actors: list[str], corner: Point) -> dict[str, Point]:
    """Return where each actor is drawn: in its row, or on a circle."""
    if not rows:
        turns = {actor: 2 * pi * k / len(actors) - pi / 2 for k, actor in enumerate(sorted(actors))}
        x, y = corner.x + WIDTH / 2, corner.y + (HEIGHT - 24) / 2
        return {a: Point(x + 60 * cos(turn), y + 60 * sin(turn)) for a, turn in turns.items()}
    found = {}
    for depth, row in enumerate(rows):
        names = [a for n in row.split() for a in sorted(actors) if n in {a, a.partition("/")[0]}]
        y = corner.y + 24 + depth * (HEIGHT - 72) / (len(rows) - 1)
        for k, actor in enumerate(names):
            found[actor] = Point(corner.x + WIDTH * (k + 0.5) / len(names), y)
    return found


def arrow(one: Point, other: Point) -> str:
    """Return a line from the rim of one circle to that of another."""
    far = hypot(other.x - one.x, other.y - one.y)
    x, y = RADIUS * (other.x - one.x) / far, RADIUS * (other.y - one.y) / far
    begin, end = Point(one.x + x, one.y + y), Point(other.x - x, other.y - y)
    return f'<line x1="{begin.x:.1f}" y1="{begin.y:.1f}" x2="{end.x:.1f}" y2="{end.y:.1f}"/>'


if __name__ == "__main__":
    FIGURE.write_text(figure(), encoding="utf-8")
