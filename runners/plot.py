"""A run as one figure: how the loss fell, how good the result was, how fast it went."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tether.runners.curves import of, rate, smooth, table_of, thin, undone_left_out
from tether.runners.metrics import FILE as METRICS
from tether.runners.metrics import Curve, Curves, curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILE = "plot.png"
COUNTERS = ("exchanges", "messages")
"""Metrics that count since an actor's start: drawn as a rate."""
OF_RESTARTS = ("rolled_back", "rolled_back_steps", "incarnation")
"""What is written down of an actor that came back: a mark on the loss, and no curve."""
DRAWN_ELSEWHERE = {"accuracy", *COUNTERS, *OF_RESTARTS}
FAMILIES = ("Blues", "Greens", "Purples")
"""One family of colours a table of actors, told apart also by readers who see few colours."""
INK, GREY, BOLD, BACK = "#222222", "#8a8a8a", "#d55e00", "#b5005b"
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e8",
    "grid.linewidth": 0.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}


def plot(run: Path) -> Path:
    """Draw the run's metrics as `plot.png` in its directory; return the path.

    FileNotFoundError without metrics, ValueError when nothing was reported, ModuleNotFoundError
    without matplotlib.
    """
    path = run / METRICS
    if not path.is_file():
        raise FileNotFoundError(f"{run} has no {METRICS}, which a run writes when actors report")
    found = curves(path)
    if not {metric for _, metric in found} - set(OF_RESTARTS):
        raise ValueError(f"{path}: no actor has reported a metric, so there is nothing to draw")
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a plot is drawn by matplotlib, which is not installed: pip install 'tether[plot]'"
        ) from error
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        return _draw(found, _title(run), run / FILE)


def _title(run: Path) -> str:
    """Return the first comment of the wiring as run, else its name or that of the run."""
    # A simulation leaves those of its network and its faults too.
    for wiring in sorted(run.glob("*.toml"), key=lambda file: file.stem != "wiring"):
        first = wiring.read_text(encoding="utf-8").partition("\n")[0]
        if first.startswith("#") and first.strip("# "):
            return first.strip("# ")
        if wiring.stem != "wiring":
            return wiring.stem
    return run.resolve().name


def _draw(found: Curves, title: str, path: Path) -> Path:
    from matplotlib.figure import Figure

    panels = _panels(found)
    columns = 2 if len(panels) == 4 else len(panels)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(3.6 * columns, 0.3 + 2.3 * rows), dpi=200)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    figure.suptitle(title, fontsize=9, fontweight="bold", x=0.012, ha="left", parse_math=False)
    for number, panel in enumerate(panels, 1):
        panel(figure.add_subplot(rows, columns, number))
    figure.savefig(path)
    return path


def _panels(found: Curves) -> list[Callable[[Axes], None]]:
    """Return what is worth drawing of what there is."""
    panels: list[Callable[[Axes], None]] = []
    if main := _main_metric(found):
        mine, back = of(found, main), list(of(found, "rolled_back").values())
        if any(math.isfinite(step) for curve in mine.values() for step in curve.step):
            panels.append(partial(_values, found=mine, back=back, name=main, against="step"))
        panels.append(partial(_values, found=mine, back=back, name=main, against="t"))
    if accuracies := of(found, "accuracy"):
        panels.append(partial(_accuracy, found=accuracies))
    name, counters = _pace(found)
    if counters and (not panels or any(counter.t[-1] > 0 for counter in counters)):
        panels.append(partial(_throughput, name=name, counters=counters))
    return panels


def _main_metric(found: Curves) -> str | None:
    """Return `loss`, else what most actors report, else None."""
    names = Counter(name for _, name in found if name not in DRAWN_ELSEWHERE)
    return "loss" if "loss" in names else next(iter(names), None) and names.most_common(1)[0][0]


def _pace(found: Curves) -> tuple[str, list[Curve]]:
    """Return what the run counted: messages where they were reported, else steps."""
    for name in COUNTERS:
        if counters := of(found, name):
            return name, list(counters.values())
    longest: dict[str, Curve] = {}
    for (actor, metric), curve in found.items():
        longer = len(curve.t) > len(longest.get(actor, ((),))[0])
        if longer and metric not in OF_RESTARTS and math.isfinite(sum(curve.step)):
            longest[actor] = Curve(curve.t, curve.step, curve.step)
    return "steps", list(longest.values())


def _values(
    axes: Axes, found: dict[str, Curve], back: list[Curve], name: str, against: str
) -> None:
    """Draw one thin, smoothed line an actor, and a tick where an actor came back from its death.

    Over steps, what was rolled back is not drawn; over time it is.
    """
    from matplotlib import colormaps

    shown: list[float] = []
    tables = Counter(table_of(actor) for actor in found)
    for (table, count), family in zip(tables.items(), cycle(FAMILIES)):
        members = [curve for actor, curve in found.items() if table_of(actor) == table]
        if against == "step":
            members = [left for left in map(undone_left_out, members) if left.t]
        for k, curve in enumerate(members):
            y = thin(smooth(curve.value, len(curve.value) / 30))
            shade = colormaps[family](0.95 - 0.5 * k / count)
            label = (f"{table} × {count}" if count > 1 else table) if k == 0 else None
            _line(axes, thin(getattr(curve, against)), y, color=shade, linewidth=0.9, label=label)
            shown += y
    _scale(axes, shown)
    _ticks(axes, [x for curve in back for x in getattr(curve, against) if math.isfinite(x)])
    axes.set_ylabel(f"{name} (smoothed)")
    axes.set_xlabel("step" if against == "step" else "wall time (s)")
    axes.set_xlim(left=0)
    axes.legend(handlelength=1.2, borderpad=0)


def _ticks(axes: Axes, restarts: list[float]) -> None:
    """Draw a short line up from the axis for each restart."""
    if restarts:
        ground = axes.get_xaxis_transform()
        axes.vlines(restarts, 0, 0.06, transform=ground, color=BACK, linewidth=0.9, label="restart")


def _scale(axes: Axes, shown: Iterable[float]) -> None:
    """Make the axis logarithmic when positive values span more than a factor of 20."""
    from matplotlib.ticker import FuncFormatter

    known = [value for value in shown if math.isfinite(value)]
    if known and 0 < min(known) < max(known) / 20:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _accuracy(axes: Axes, found: dict[str, Curve]) -> None:
    """Draw one bold line an evaluator and write its last value at its end."""
    for actor, curve in found.items():
        _line(axes, curve.t, curve.value, color=BOLD, linewidth=1.8)
        last = (curve.t[-1], curve.value[-1])
        if not math.isfinite(last[1]):
            continue
        label = f"{last[1]:.3f}" + (f" {actor}" if len(found) > 1 else "")
        axes.annotate(
            label,
            last,
            xytext=(0, -5),
            textcoords="offset points",
            ha="right",
            va="top",
            color=BOLD,
            fontweight="bold",
        )
    axes.set_ylabel("accuracy")
    axes.set_xlabel("wall time (s)")
    axes.set_xlim(left=0)


def _throughput(axes: Axes, name: str, counters: list[Curve]) -> None:
    """Draw the rate of all counters together as steps of a stair, from 0 up."""
    t, grown = rate(counters)
    half = t[0]
    edges = [middle - half for middle in t] + [t[-1] + half]
    axes.stairs(grown, edges, color="#0072b2", linewidth=1.0, fill=False, baseline=None)
    axes.set_ylim(0, 1.15 * max(grown) or 1)
    axes.set_xlim(left=0)
    axes.set_ylabel(f"{name} per second")
    axes.set_xlabel("wall time (s)")


def _line(axes: Axes, x: Sequence[float], y: Sequence[float], **look: Any) -> None:
    """Draw a line, or a dot where there is one point only."""
    axes.plot(x, y, marker="o" if len(y) == 1 else "", markersize=3, **look)
