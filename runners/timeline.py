"""A simulated run as one figure over its virtual time: what was learned, and what befell whom."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from tether.runners.chaos import Strike
from tether.runners.curves import table_of
from tether.runners.gauge import Look, quantile
from tether.runners.plot import INK, STYLE
from tether.runners.simulation import Simulation, Work
from tether.runners.tally import Report, Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS, BARS, POINTS, SHADES = 32, 5000, 150, 8
"""Drawn at most: actors, bars of one state, points of a line, and shades of a bar."""
WIDTH, ROW, PANEL, DPI = 8.0, 0.2, 1.1, 150
"""The width of the figure, and the heights of a row and of a panel of lines, in inches."""
LETTER = 0.0092
"""The width of a letter of a label, of the width of a panel."""
LINES = ("#0072b2", "#009e73", "#aa4499", "#333333")
STATES = {
    "slow": ("slowed down", "#dcc7a3", 0.86),
    "unreachable": ("unreachable", "#f5a623", 0.86),
    "computing": ("computing", "#3d8fc9", 0.46),
    "pause": ("paused", "#6e6e6e", 0.86),
    "down": ("dead", "#b2182b", 0.86),
}
"""What a row shows: in the legend's word, its colour and height, in the order of painting."""
BESIDE: dict[str, Any] = {
    "loc": "upper left", "bbox_to_anchor": (1.01, 1.05), "alignment": "left", "borderpad": 0,
    "handlelength": 1.4,
}  # fmt: skip
"""How a legend stands beside its panel."""
BANDS = {"partition": ("partition", "#aa4499"), "link": ("link fault", "#009e73")}
Piece = tuple[float, float]
"""From when to when, in seconds."""
Pieces = dict[str, list[Piece]]
"""Pieces of time of each actor."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is drawn of a simulated run; all times are in seconds since the run began."""

    name: str
    seconds: float
    actors: Sequence[str]
    work: Sequence[Work] = ()
    spans: Sequence[Span] = ()
    strikes: Sequence[Strike] = ()
    reports: Sequence[Report] = ()
    disagreement: Mapping[str, Sequence[Look]] = field(default_factory=dict)


class Bar(NamedTuple):
    """A time for a share of which something held."""

    begins: float
    ends: float
    share: float = 1.0


class Level(NamedTuple):
    """Values around a moment: their median, and between what the middle 80 % of them are."""

    t: float
    low: float
    middle: float
    high: float


class Label(NamedTuple):
    """What is written above a band: how far from the left, as a share, and in which line."""

    text: str
    x: float
    lane: int


def story(simulation: Simulation, name: str, seconds: float, began: float) -> Story:
    """Collect what is drawn of a run of some seconds, which began at a moment of its loop."""
    plan, tally = simulation.plan, simulation.tally
    mates: dict[str, list[str]] = {}
    for spec in plan:
        mates.setdefault(spec.process, []).append(spec.name)
    strikes = []
    for strike in simulation.chaos.strikes:
        victims = strike.victims
        if strike.kind in {"crash", "pause"}:  # which meet processes
            met = dict.fromkeys(plan.actor(name).process for name in victims)
            victims = tuple(name for process in met for name in mates[process])
        strikes.append(Strike(strike.kind, victims, strike.begins - began, strike.ends - began))
    looked = simulation.disagreement.tables.items()
    return Story(
        name,
        seconds,
        [spec.name for spec in plan],
        [Work(a, what, begins - began, ends - began) for a, what, begins, ends in simulation.work],
        [Span(a, what, begins - began, ends - began) for a, what, begins, ends in tally.spans],
        strikes,
        tally.reports,
        {table: [look._replace(t=look.t - began) for look in looks] for table, looks in looked},
    )


def chosen(story: Story, most: int = ROWS) -> list[str]:
    """Return the actors that are drawn, in their order: those first whom most things befell."""
    befell = Counter(span.actor for span in story.spans)
    befell.update(victim for strike in story.strikes for victim in strike.victims)
    first = set(sorted(story.actors, key=lambda actor: -befell[actor])[:most])
    return [actor for actor in story.actors if actor in first]


def states(story: Story) -> dict[str, Pieces]:
    """Return when each actor was in each state; its death ends what it was at."""
    struck = [(s.kind, name, s.begins, s.ends) for s in story.strikes for name in s.victims]
    happened = [(span.what, span.actor, span.begins, span.ends) for span in story.spans]
    happened += [("computing", work.actor, work.begins, work.ends) for work in story.work]
    deaths: dict[str, list[float]] = {}
    for what, actor, begins, _ in sorted(happened + struck, key=lambda one: one[2]):
        if what in {"crash", "down"}:
            deaths.setdefault(actor, []).append(begins)
    found: dict[str, Pieces] = {state: {} for state in STATES}
    for what, actor, begins, ends in happened + struck:
        mine = deaths.get(actor, [])
        next_ = bisect_right(mine, begins)
        if what in {"computing", "pause"} and next_ < len(mine):
            ends = min(ends, mine[next_])
        if what in found:
            found[what].setdefault(actor, []).append((begins, ends))
    return found


def merged(pieces: Iterable[Piece], seconds: float) -> list[Piece]:
    """Return pieces of time in order and within the run, those that touch or overlap as one."""
    found: list[Piece] = []
    for begins, ends in sorted(pieces):
        begins, ends = max(0.0, begins), min(seconds, ends)
        if found and begins <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ends)
        elif begins < ends:
            found.append((begins, ends))
    return found


def shaded(pieces: Iterable[Piece], seconds: float, bins: int) -> list[Bar]:
    """Return what share of each of equal times merged pieces fill; those alike are one bar."""
    width = seconds / bins
    filled = [0.0] * bins
    for begins, ends in pieces:
        for k in range(int(begins / width), min(bins, int(ends / width) + 1)):
            filled[k] += max(0.0, min(ends, (k + 1) * width) - max(begins, k * width)) / width
    found: list[Bar] = []
    for k, share in enumerate(filled):
        shade = math.ceil(SHADES * min(1.0, share) - 1e-6) / SHADES
        begins = found.pop().begins if found and found[-1].share == shade else k * width
        found.append(Bar(begins, (k + 1) * width, shade))
    return [bar for bar in found if bar.share]


def bars(rows: Pieces, seconds: float, most: int = BARS) -> dict[str, list[Bar]]:
    """Return the bars of each row: exact ones, or shades of shares where these are too many."""
    whole = {row: merged(pieces, seconds) for row, pieces in rows.items()}
    if sum(map(len, whole.values())) <= most:
        return {row: [Bar(*piece) for piece in pieces] for row, pieces in whole.items()}
    bins = max(1, most // len(whole))
    return {row: shaded(pieces, seconds, bins) for row, pieces in whole.items()}


def levels(reports: Iterable[Report], seconds: float, metric: str = "loss") -> list[Level]:
    """Return a metric's level in each of equal times; values that are no numbers are left out."""
    known = [r for r in reports if math.isfinite(r.metrics.get(metric, math.nan))]
    bins = min(POINTS, max(Counter(report.actor for report in known).values(), default=0))
    gathered: dict[int, list[Report]] = {}
    for report in known:
        place = int(bins * report.t / (seconds or 1.0))
        gathered.setdefault(min(place, bins - 1), []).append(report)
    found = []
    for _, some in sorted(gathered.items()):
        values = sorted(report.metrics[metric] for report in some)
        t = sum(report.t for report in some) / len(some)
        found.append(Level(t, quantile(values, 0.1), median(values), quantile(values, 0.9)))
    return found


def labels(strikes: Iterable[Strike], seconds: float, lanes: int = 3) -> list[Label]:
    """Return a label for the first of all bands alike; those that would overlap have other lanes.

    A label for which there is no lane is left out.
    """
    alike: dict[str, list[float]] = {}
    for strike in sorted(strikes, key=lambda strike: strike.begins):
        if strike.kind in BANDS:
            alike.setdefault(_words(strike), []).append(strike.begins / (seconds or 1.0))
    found, free = [], [0.0] * lanes
    for words, begins in alike.items():
        text = f"{words} ×{len(begins)}" if len(begins) > 1 else words
        x = max(0.0, min(begins[0], 1 - len(text) * LETTER))
        lane = next((lane for lane in range(lanes) if free[lane] <= x), None)
        if lane is not None:
            free[lane] = x + (len(text) + 1) * LETTER
            found.append(Label(text, x, lane))
    return found


def _words(strike: Strike) -> str:
    """Return what a band is of: `partition center ↔ worker`."""
    ways: dict[str, None] = {}
    for way in strike.victims:
        ends = way.split("→")
        both = "→".join(reversed(ends)) in strike.victims
        ways[" ↔ ".join(sorted(ends)) if both else " → ".join(ends)] = None
    told = [way.replace("*", "all") for way in ways]
    more = f" and {len(told) - 2} more" if len(told) > 2 else ""
    return f"{BANDS[strike.kind][0]} {', '.join(told[:2])}{more}"


def draw(story: Story, path: Path) -> Path:
    """Draw a run as a PNG at `path`; return the path. ModuleNotFoundError without matplotlib."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a plot is drawn by matplotlib, which is not installed: pip install 'tether[plot]'"
        ) from error
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        _figure(story).savefig(path, format="png")
    return path


def _figure(story: Story) -> Figure:
    from matplotlib.figure import Figure

    colours = dict(zip(dict.fromkeys(map(table_of, story.actors)), cycle(LINES), strict=False))
    of_table = {t: [r for r in story.reports if table_of(r.actor) == t] for t in colours}
    losses = {t: found for t, some in of_table.items() if (found := levels(some, story.seconds))}
    shown = chosen(story)
    tall = [PANEL] * (bool(losses) + bool(story.disagreement)) + [ROW * max(5, len(shown))]
    figure = Figure(figsize=(WIDTH, sum(tall) + 0.9), dpi=DPI, layout="constrained")
    panels = list(figure.subplots(len(tall), squeeze=False, sharex=True, height_ratios=tall).flat)
    out = len(story.actors) - len(shown)
    title = story.name + (f" ({out} of {len(story.actors)} actors are not shown)" if out else "")
    figure.suptitle(title, fontsize=9, fontweight="bold", x=0.012, ha="left", parse_math=False)
    if losses:
        _losses(panels.pop(0), losses, colours)
    if story.disagreement:
        _disagreement(panels.pop(0), story.disagreement, colours)
    _rows(panels[0], story, shown)
    return figure


def _losses(axes: Axes, losses: Mapping[str, list[Level]], colours: Mapping[str, str]) -> None:
    for table, found in losses.items():
        t, low, middle, high = zip(*found, strict=True)
        dot = "o" if len(t) == 1 else ""
        axes.plot(t, middle, marker=dot, ms=3, lw=1.1, color=colours[table], label=table)
        axes.fill_between(t, low, high, color=colours[table], alpha=0.2, lw=0)
    lows = [level.low for found in losses.values() for level in found]
    if 0 < min(lows) < max(lows) / 20:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("loss")
    axes.legend(title="median, middle 80 %", **BESIDE)


def _disagreement(
    axes: Axes, tables: Mapping[str, Sequence[Look]], colours: Mapping[str, str]
) -> None:
    for table, looks in tables.items():
        t, mean, largest = zip(*looks, strict=True)
        axes.plot(t, mean, color=colours[table], lw=1.1, label=f"{table}, mean")
        axes.plot(t, largest, color=colours[table], lw=0.8, ls=":", label=f"{table}, largest")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(r"$\Vert x^i - \bar{x}\,\Vert$")
    axes.legend(title="disagreement", **BESIDE)


def _rows(axes: Axes, story: Story, shown: Sequence[str]) -> None:
    """Draw a row an actor: its states as bars, its crashes as crosses, and bands behind all."""
    place = {actor: k for k, actor in enumerate(shown)}
    found, shared = states(story), False
    for state, look in STATES.items():
        mine = {actor: found[state][actor] for actor in shown if actor in found[state]}
        rows = {place[actor]: some for actor, some in bars(mine, story.seconds).items()}
        shared |= _bars(axes, rows, *look, hatched=state == "pause")
    crashes = [(s.begins, place[v]) for s in story.strikes for v in s.victims
               if s.kind == "crash" and v in place]
    if crashes:
        axes.scatter(*zip(*crashes), marker="x", s=14, lw=1, color=INK, label="crash", zorder=4)
    _bands(axes, story)
    axes.set_xlim(0, story.seconds or 1.0)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_yticks(range(len(shown)), shown)
    axes.grid(visible=False, axis="y")
    axes.set_ylabel("actor")
    axes.set_xlabel("virtual time (s)")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(title="paler: part of the time" if shared else None, **BESIDE)


def _bars(
    axes: Axes, rows: Mapping[int, list[Bar]], label: str, colour: str, height: float, hatched: bool
) -> bool:
    """Draw the bars of one state; tell whether some are of shares of their times."""
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    drawn = [(row - height / 2, bar) for row, some in rows.items() for bar in some]
    shapes = [Rectangle((bar.begins, y), bar.ends - bar.begins, height) for y, bar in drawn]
    tints = [to_rgba(colour, 0.2 + 0.8 * bar.share) for _, bar in drawn]
    look: dict[str, Any] = {"fc": tints, "lw": 0}
    if hatched:
        look = {"fc": "none", "ec": colour, "hatch": "/////", "lw": 0}
    if drawn:
        axes.add_collection(PatchCollection(shapes, zorder=3, **look), autolim=False)
        axes.bar(0, 0, label=label, **(look | {"fc": "none" if hatched else colour}))
    return any(bar.share < 1 for _, bar in drawn)


def _bands(axes: Axes, story: Story) -> None:
    for kind, (label, colour) in BANDS.items():
        mine = {kind: [(s.begins, s.ends) for s in story.strikes if s.kind == kind]}
        spans = [(b.begins, b.ends - b.begins) for b in bars(mine, story.seconds)[kind]]
        if spans:
            above = axes.get_xaxis_transform()
            axes.broken_barh(spans, (0, 1), transform=above, color=colour, alpha=0.15, lw=0)
            axes.bar(0, 0, color=colour, alpha=0.15, label=label)
    for text, x, lane in labels(story.strikes, story.seconds):
        axes.annotate(text, (x, 1), (0, 2 + 9 * lane), "axes fraction", "offset points", size=7)
