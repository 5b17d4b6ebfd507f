"""Measurements an actor makes known while it runs."""

from __future__ import annotations

from typing import SupportsFloat

from tether.actors.context import acting


def report(step: int | None = None, **metrics: SupportsFloat) -> None:
    """Record metrics under the acting actor's name; between two of them lies a step boundary.

    Values are numbers or tensors of one element. Outside an actor nothing happens, so a protocol
    can be called as a plain object.

    >>> report(step=1, loss=0.5)
    """
    here = acting.get()
    if here is not None:
        here.cell.record(step, {name: float(value) for name, value in metrics.items()})
