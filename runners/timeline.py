"""A simulated run as one figure over its virtual time: what was learned, and what befell whom."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple

from tether.runners.chaos import Strike
from tether.runners.curves import table_of
from tether.runners.gauge import Look, quantile
from tether.runners.plot import INK, STYLE
from tether.runners.simulation import Simulation, Work
from tether.runners.tally import Report, Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS, BARS, POINTS, SHADES, LANES = 32, 5000, 150, 8, 3
"""Drawn at most: actors, bars of a state, points of a line, shades of a bar, lines of labels."""
WIDTH, ROW, PANEL, FEW, LETTER, DPI = 8.0, 0.2, 1.1, 5, 0.0092, 150
"""Inches of the figure, a row and a panel; rows there is room for, and a letter's share of all."""
LINES = ("#0072b2", "#009e73", "#aa4499", "#333333")
STATES = {
    "slow": ("slowed down", "#dcc7a3", 0.43),
    "unreachable": ("unreachable", "#f5a623", 0.43),
    "computing": ("computing", "#3d8fc9", 0.23),
    "pause": ("paused", "#6e6e6e", 0.43),
    "down": ("dead", "#b2182b", 0.43),
}
"""What a row shows: its name, its colour and half its height, in the order of painting."""
BANDS = {"partition": ("partition", "#aa4499"), "link": ("link fault", "#009e73")}
Apart = Mapping[str, Sequence[Look]]
Levels = list[tuple[float, float, float, float]]
"""Moments, and what the losses around each were: low, middle and high."""
Pieces = dict[str, list[tuple[float, float]]]
"""Of each actor, from when to when something held."""


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
    disagreement: Apart = field(default_factory=dict)


class Bar(NamedTuple):
    """A time for a share of which something held."""

    begins: float
    ends: float
    share: float = 1.0


def story(simulation: Simulation, name: str, seconds: float, began: float) -> Story:
    """Collect what is drawn of a run of some seconds, which began at a moment of its loop."""
    plan, tally, strikes = simulation.plan, simulation.tally, []
    tables = simulation.disagreement.tables
    for strike in simulation.chaos.strikes:
        victims = strike.victims
        if strike.kind in {"crash", "pause"}:  # which meet processes, with all actors in them
            met = {plan.actor(name).process for name in victims}
            victims = tuple(spec.name for spec in plan if spec.process in met)
        strikes.append(Strike(strike.kind, victims, strike.begins - began, strike.ends - began))
    return Story(
        name,
        seconds,
        [spec.name for spec in plan],
        [w._replace(begins=w.begins - began, ends=w.ends - began) for w in simulation.work],
        [s._replace(begins=s.begins - began, ends=s.ends - began) for s in tally.spans],
        strikes,
        tally.reports,
        {t: [look._replace(t=look.t - began) for look in some] for t, some in tables.items()},
    )


def chosen(story: Story, most: int = ROWS) -> list[str]:
    """Return the actors that are drawn, in their order: those first whom most things befell."""
    befell = Counter(span.actor for span in story.spans)
    befell.update(victim for strike in story.strikes for victim in strike.victims)
    first = set(sorted(story.actors, key=lambda actor: -befell[actor])[:most])
    return [actor for actor in story.actors if actor in first]


def states(story: Story) -> dict[str, Pieces]:
    """Return when each actor was in each state; its death ends what it was at."""
    happened = [(span.what, span.actor, span.begins, span.ends) for span in story.spans]
    happened += [("computing", work.actor, work.begins, work.ends) for work in story.work]
    happened += [(s.kind, name, s.begins, s.ends) for s in story.strikes for name in s.victims]
    deaths: dict[str, list[float]] = {}
    for actor, begins in sorted(one[1:3] for one in happened if one[0] in {"crash", "down"}):
        deaths.setdefault(actor, []).append(begins)
    found: dict[str, Pieces] = {state: {} for state in STATES}
    for what, actor, begins, ends in happened:
        mine = deaths.get(actor, [])
        next_ = bisect_right(mine, begins)
        if what in {"computing", "pause"} and next_ < len(mine):
            ends = min(ends, mine[next_])
        if what in found:
            found[what].setdefault(actor, []).append((begins, ends))
    return found


def merged(pieces: Iterable[tuple[float, float]], seconds: float) -> list[Bar]:
    """Return pieces of time in order and within the run, those that touch or overlap as one."""
    found: list[Bar] = []
    for begins, ends in sorted(pieces):
        begins, ends = max(0.0, begins), min(seconds, ends)
        if found and begins <= found[-1].ends:
            found[-1] = Bar(found[-1].begins, max(found[-1].ends, ends))
        elif begins < ends:
            found.append(Bar(begins, ends))
    return found


def shaded(whole: Iterable[Bar], seconds: float, bins: int) -> list[Bar]:
    """Return what share of each of equal times merged bars fill; times alike are one bar."""
    width, filled = seconds / bins, [0.0] * bins
    for begins, ends, _ in whole:
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
        return whole
    return {row: shaded(mine, seconds, max(1, most // len(whole))) for row, mine in whole.items()}


def levels(reports: Iterable[Report], seconds: float) -> Levels:
    """Return the levels of losses in equal times; those that are no numbers are left out."""
    known = [r for r in reports if math.isfinite(r.metrics.get("loss", math.nan))]
    bins = min(POINTS, max(Counter(report.actor for report in known).values(), default=0))
    gathered: dict[int, list[Report]] = {}
    for report in known:
        place = int(bins * report.t / (seconds or 1.0))
        gathered.setdefault(min(place, bins - 1), []).append(report)
    found = []
    for _, some in sorted(gathered.items()):
        losses, t = sorted(r.metrics["loss"] for r in some), fmean(r.t for r in some)
        found.append((t, quantile(losses, 0.1), median(losses), quantile(losses, 0.9)))
    return found


def labels(strikes: Iterable[Strike], seconds: float) -> list[tuple[str, float, int]]:
    """Return text, place and line of one label for all bands alike, unless there is no room."""
    alike: dict[str, list[float]] = {}
    for strike in sorted((s for s in strikes if s.kind in BANDS), key=lambda strike: strike.begins):
        alike.setdefault(_words(strike), []).append(strike.begins / (seconds or 1.0))
    found, free = [], [0.0] * LANES
    for words, begins in alike.items():
        text = f"{words} ×{len(begins)}" if len(begins) > 1 else words
        x = max(0.0, min(begins[0], 1 - len(text) * LETTER))
        lane = next((lane for lane in range(LANES) if free[lane] <= x), None)
        if lane is not None:
            free[lane] = x + (len(text) + 1) * LETTER
            found.append((text, x, lane))
    return found


def _words(strike: Strike) -> str:
    """Return what a band is of: `partition center ↔ worker`."""
    ways: dict[str, None] = {}
    for way in strike.victims:
        ends = way.replace("*", "all").split("→")
        both = "→".join(reversed(way.split("→"))) in strike.victims
        ways[" ↔ ".join(sorted(ends)) if both else " → ".join(ends)] = None
    more = ", …" if len(ways) > 2 else ""
    return f"{BANDS[strike.kind][0]} {', '.join(list(ways)[:2])}{more}"


def draw(story: Story, path: Path) -> Path:
    """Draw a run as a PNG at `path`; return the path. ModuleNotFoundError without matplotlib."""
    try:
        from matplotlib import style
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a plot is drawn by matplotlib, which is not installed: pip install 'tether[plot]'"
        ) from error
    with style.context(STYLE, after_reset=True):
        _draw(story, path)
    return path


def _draw(story: Story, path: Path) -> None:
    from matplotlib.figure import Figure

    colours = dict(zip(dict.fromkeys(map(table_of, story.actors)), cycle(LINES), strict=False))
    of_table = {t: [r for r in story.reports if table_of(r.actor) == t] for t in colours}
    losses = {t: found for t, some in of_table.items() if (found := levels(some, story.seconds))}
    apart = {table: looks for table, looks in story.disagreement.items() if looks}
    shown = chosen(story)
    tall = [PANEL] * (bool(losses) + bool(apart)) + [ROW * max(FEW, len(shown))]
    figure = Figure(figsize=(WIDTH, sum(tall) + 0.9), dpi=DPI, layout="constrained")
    panels = list(figure.subplots(len(tall), squeeze=False, sharex=True, height_ratios=tall).flat)
    out = len(story.actors) - len(shown)
    title = story.name + (f" ({out} of {len(story.actors)} actors are not shown)" if out else "")
    figure.suptitle(title, fontsize=9, fontweight="bold", x=0.012, ha="left", parse_math=False)
    if losses:
        _losses(panels.pop(0), losses, colours)
    if apart:
        _disagreement(panels.pop(0), apart, colours)
    _rows(panels[0], story, shown)
    figure.savefig(path, format="png")


def _losses(axes: Axes, losses: Mapping[str, Levels], colours: Mapping[str, str]) -> None:
    for table, found in losses.items():
        t, low, middle, high = zip(*found, strict=True)
        axes.plot(t, middle, ".-", ms=2, lw=1, color=colours[table], label=table)
        axes.fill_between(t, low, high, color=colours[table], alpha=0.2, lw=0)
    lows = [low for found in losses.values() for _, low, _, _ in found]
    if 0 < min(lows) < max(lows) / 20:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("loss")
    _legend(axes, "median, middle 80 %")


def _disagreement(axes: Axes, apart: Apart, colours: Mapping[str, str]) -> None:
    for table, looks in apart.items():
        t, mean, largest = zip(*looks, strict=True)
        axes.plot(t, mean, ".-", ms=2, lw=1, color=colours[table], label=f"{table}, mean")
        axes.plot(t, largest, ".:", ms=2, lw=1, color=colours[table], label=f"{table}, largest")
    axes.set(ylim=(0, None), ylabel=r"$\Vert x^i - \bar{x}\,\Vert$")
    _legend(axes, "disagreement")


def _rows(axes: Axes, story: Story, shown: Sequence[str]) -> None:
    place = {actor: row for row, actor in enumerate(shown)}
    for state, pieces in states(story).items():
        mine = {actor: pieces[actor] for actor in shown if actor in pieces}
        drawn = [(place[a], bar) for a, some in bars(mine, story.seconds).items() for bar in some]
        if drawn:
            _bars(axes, drawn, state)
    crashes = [strike for strike in story.strikes if strike.kind == "crash"]
    marks = [(s.begins, place[name]) for s in crashes for name in s.victims if name in place]
    if marks:
        look: dict[str, Any] = {"s": 26, "color": INK, "edgecolor": "white", "lw": 0.6}
        axes.scatter(*zip(*marks, strict=True), marker="X", label="crash", zorder=4, **look)
    _bands(axes, story)
    spare = max(0, FEW - len(shown)) / 2
    axes.set(xlim=(0, story.seconds or 1.0), ylim=(len(shown) - 0.4 + spare, -0.6 - spare))
    axes.set(xlabel="virtual time (s)", ylabel="actor", yticks=range(len(shown)), yticklabels=shown)
    axes.grid(visible=False, axis="y")
    _legend(axes, "")


def _bars(axes: Axes, drawn: Sequence[tuple[int, Bar]], state: str) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    label, colour, h = STATES[state]
    drawn = sorted(drawn, key=lambda one: -one[1].share)
    label += " (pale: partly)" if drawn[-1][1].share < 1 else ""
    shapes = [[(b, r - h), (b, r + h), (e, r + h), (e, r - h)] for r, (b, e, _) in drawn]
    deep = [0.2 + 0.8 * bar.share for _, bar in drawn]
    look: dict[str, Any] = {"facecolor": [[1 - d * (1 - c) for c in to_rgb(colour)] for d in deep]}
    if state == "pause":
        look = {"facecolor": "none", "edgecolor": colour, "hatch": "/////"}
    axes.add_collection(PolyCollection(shapes, lw=0, zorder=3, label=label, **look), autolim=False)


def _bands(axes: Axes, story: Story) -> None:
    for kind, (label, colour) in BANDS.items():
        mine = {kind: [(s.begins, s.ends) for s in story.strikes if s.kind == kind]}
        spans = [(bar.begins, bar.ends - bar.begins) for bar in bars(mine, story.seconds)[kind]]
        if spans:
            look: dict[str, Any] = {"color": colour, "alpha": 0.15, "lw": 0, "label": label}
            axes.broken_barh(spans, (0, 1), transform=axes.get_xaxis_transform(), **look)
    for text, x, lane in labels(story.strikes, story.seconds):
        axes.annotate(text, (x, 1), (0, 2 + 9 * lane), "axes fraction", "offset points", size=7)


def _legend(axes: Axes, title: str) -> None:
    if axes.get_legend_handles_labels()[0]:
        place: dict[str, Any] = {"bbox_to_anchor": (1.01, 1), "borderaxespad": 0, "borderpad": 0}
        axes.legend(loc="upper left", title=title, alignment="left", handlelength=1.4, **place)
