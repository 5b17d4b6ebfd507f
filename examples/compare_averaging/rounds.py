"""Local SGD beside large batches and post-local SGD (1808.07217, figure 2 and table 3)."""

from __future__ import annotations

import statistics
from pathlib import Path

from figure import axes
from play import Training
from section import Claim, Results, Row, Section, standard_error

STEPS = 150
K, BATCH, H = 8, 16, 8
LARGE = f"large batch {H * BATCH}"
LOCAL = f"local H={H}"
MINI = "mini-batch H=1"
POST = f"post-local 1, then {H}"


def rows(steps: int) -> list[Row]:
    """Return all rows; the first two hear of as many samples between two rounds."""
    made = {
        LARGE: (steps // H, {"center.H.H": 1, "worker.learner.batch": H * BATCH}),
        LOCAL: (steps, {"center.H.H": H}),
        MINI: (steps, {"center.H.H": 1}),
        POST: (steps, {"center.H.H": H, "center.H.start": steps // 2}),
    }
    return [
        Row(
            name,
            Training("local.toml", {**sets, "worker.steps": own, "worker.learner.steps": own}),
            "worker.learner.eta",
        )
        for name, (own, sets) in made.items()
    ]


CLAIMS = [
    Claim("local steps are better than a large batch", LARGE, LOCAL),
    Claim("post-local SGD is as good as mini-batches", POST, MINI, most=0.02),
    Claim("with fewer messages", MINI, POST, "messages"),
    Claim("local steps need fewer still", POST, LOCAL, "messages"),
]


def draw(results: Results, path: Path) -> None:
    """Draw the test error of each against the messages it took."""
    with axes(path, "messages", "test error") as ax:
        for name in (LARGE, LOCAL, POST, MINI):
            errors = [each["error"] for each in results[name]]
            bar = 2 * standard_error(errors)
            x = statistics.mean(each["messages"] for each in results[name])
            ax.errorbar([x], [statistics.mean(errors)], [bar], marker="o", capsize=3, label=name)
        ax.set_xlim(left=0)


def section(length: int = STEPS) -> Section:
    """Return the section; `length` is how many steps a worker makes."""
    title = f"Local SGD beside large batches, {K} workers"
    columns = ("error", "loss", "messages")
    return Section("rounds", title, rows(max(length, H)), CLAIMS, columns, draw)
