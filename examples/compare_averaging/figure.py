"""What all figures have in common."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from section import standard_error


@contextmanager
def axes(path: Path, x: str, y: str, count: int = 1) -> Iterator[Any]:
    """Give one pair of axes, or as many side by side as are wanted, and write the figure."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, found = plt.subplots(1, count, figsize=(6 * count, 4), layout="constrained")
    for each in [found] if count == 1 else found:
        each.set_xlabel(x)
        each.set_ylabel(y)
        each.grid(alpha=0.3)
    yield found
    for each in [found] if count == 1 else found:
        if each.get_legend_handles_labels()[1]:
            each.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def with_errors(
    ax: Any,
    label: str,
    xs: Sequence[float],
    found: Sequence[Sequence[Mapping[str, float]]],
    of: str,
    **style: Any,
) -> None:
    """Draw means over seeds, with bars of two standard errors."""
    values = [[each[of] for each in seeds] for seeds in found]
    means = [statistics.mean(each) for each in values]
    bars = [2 * standard_error(each) for each in values]
    ax.errorbar(xs, means, bars, marker="o", capsize=3, label=label, **style)
