"""Measurements an actor makes known while it runs."""

from __future__ import annotations

from typing import SupportsFloat

from tether.actors.context import acting

RESERVED = frozenset({"actor", "t"})
"""What a record of metrics holds beside them, and `step`."""


def report(step: int | None = None, **metrics: SupportsFloat) -> None:
    """Record metrics under the acting actor's name; between two of them lies a step boundary.

    Values are numbers or tensors of one element. Outside an actor nothing happens, so a protocol
    can be called as a plain object.

    >>> report(step=1, loss=0.5)
    """
    if not RESERVED.isdisjoint(metrics):
        name = min(RESERVED & metrics.keys())
        raise ValueError(f"report: {name} is a field of every record; call the metric otherwise")
    here = acting.get()
    if here is not None:
        values = {name: float(value) for name, value in metrics.items()}
        here.cell.record(step, values, boundary=here.life)
