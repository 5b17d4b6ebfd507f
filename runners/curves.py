"""What is computed from curves before they are looked at: averages, rates, fewer points."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from tether.runners.metrics import Curve, Curves


def of(found: Curves, metric: str) -> dict[str, Curve]:
    """Return the curves of one metric by actor, `worker/2` before `worker/10`."""
    mine = {actor: curve for (actor, name), curve in found.items() if name == metric}
    return dict(sorted(mine.items(), key=lambda item: _natural(item[0])))


def table_of(actor: str) -> str:
    """Return the table of the wiring an actor is one of."""
    return actor.partition("/")[0]


def smooth(values: Sequence[float], span: float) -> array[float]:
    """Return exponential averages over about `span` values, unbiased from the first one on.

    A value that is not finite leaves a gap and starts the average afresh.
    """
    keep = 1 - 1 / max(1.0, span)
    smoothed, total, weight = array("d"), 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            total, weight = keep * total + value, keep * weight + 1
            smoothed.append(total / weight)
        else:
            total, weight = 0.0, 0.0
            smoothed.append(math.nan)
    return smoothed


def thin(values: Sequence[float], most: int = 1000) -> Sequence[float]:
    """Return at most about so many of the values, evenly, the last one always."""
    stride = math.ceil(len(values) / most)
    return values if stride <= 1 else [*values[:-1:stride], values[-1]]


def undone_left_out(curve: Curve) -> Curve:
    """Return a curve over its steps without those that were undone: steps only go up.

    Where steps fall, the actor went back to a checkpoint and did the steps from there on anew; the
    newer values are the ones that count. Points without a step are left out as well.
    """
    kept = Curve(array("d"), array("d"), array("d"))
    for point in zip(*curve, strict=True):
        step = point[1]
        if math.isnan(step):
            continue
        if kept.step and step < kept.step[-1]:
            _cut(kept, bisect_left(kept.step, step))
        for axis, value in zip(kept, point, strict=True):
            axis.append(value)
    return kept


def rate(counters: Iterable[Curve], bins: int = 40) -> tuple[array[float], array[float]]:
    """Return the middles of equal bins of the run's time, and the growth a second in each.

    Counters are added up; one that falls goes on from its largest earlier value below, as an actor
    does that went back to a checkpoint, or from 0. There are never more bins than points in the
    longest counter.
    """
    counters = list(counters)
    end = max((counter.t[-1] for counter in counters), default=0.0)
    bins = max(1, min(bins, max((len(counter.t) for counter in counters), default=1)))
    width = end / bins or 1.0
    grown = array("d", [0.0] * bins)
    for counter in counters:
        start, rising = 0.0, array("d", [0.0])
        for t, count in zip(counter.t, counter.value, strict=True):
            if math.isnan(count):
                continue
            if count < rising[-1]:
                del rising[max(1, bisect_left(rising, count)) :]
            _spread(grown, count - rising[-1], start / width, t / width)
            start = t
            rising.append(count)
    middles = array("d", [(k + 0.5) * width for k in range(bins)])
    return middles, array("d", [growth / width for growth in grown])


def _cut(curve: Curve, length: int) -> None:
    for axis in curve:
        del axis[length:]


def _spread(bins: array[float], amount: float, start: float, end: float) -> None:
    """Add an amount evenly to the bins between two positions."""
    last = len(bins) - 1
    if end <= start:
        bins[min(int(end), last)] += amount
        return
    for k in range(min(int(start), last), min(int(end), last) + 1):
        until = end if k == last else min(end, k + 1)
        bins[k] += amount * max(0.0, until - max(start, k)) / (end - start)


def _natural(actor: str) -> tuple[str, int, str]:
    table, _, index = actor.partition("/")
    return table, int(index) if index.isdecimal() else -1, index
