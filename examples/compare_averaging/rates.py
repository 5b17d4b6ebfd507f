"""Learning rates: the grid, what each came to, and so the best one of each row.

`python rates.py` tries all grids anew, in a quarter of an hour on two cores. What is found is kept
for each set of images by itself: etas.json for the digits, etas_fashion.json for Fashion-MNIST.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from play import Training
from pool import all_played
from section import Row

ETAS = Path(__file__).with_name("etas.json")
GRIDS = {
    "": (0.3, 0.1, 0.03),
    "EAMSGD": (0.1, 0.03, 0.01),
    "MSGD": (0.1, 0.03, 0.01),
    "ADOWNPOUR": (0.1, 0.03, 0.01),
    "MVADOWNPOUR": (0.1, 0.03, 0.01),
    "MDOWNPOUR": (0.03, 0.01, 0.003),
    "large batch": (0.4, 0.2, 0.1, 0.05),
    "local": (0.2, 0.1, 0.05, 0.025),
    "mini-batch": (0.2, 0.1, 0.05, 0.025),
    "post-local": (0.2, 0.1, 0.05, 0.025),
    "DOWNPOUR τ=1": (0.1, 0.03, 0.01),
    "DOWNPOUR τ=4": (0.03, 0.01, 0.003),
    "DOWNPOUR τ=16": (0.01, 0.003, 0.001),
    "DOWNPOUR τ=64": (0.003, 0.001, 0.0003, 0.0001),
}
"""By how the names of rows begin; the longest that fits counts."""
SEEDS = (100,)
"""None of those that are compared with afterwards."""


def known(etas: Path) -> dict[str, dict[str, float]]:
    """Return the mean test error of each row at each learning rate that was tried."""
    if not etas.exists():
        return {}
    found: dict[str, dict[str, float]] = json.loads(etas.read_text(encoding="utf-8"))
    return found


def at(row: Row, eta: float, seed: int) -> Training:
    """Return the training of a row with a learning rate and a seed."""
    sets = {**row.training.sets, row.eta: eta} if row.eta else row.training.sets
    return replace(row.training, sets=sets, seed=seed)


def tuned(row: Row, seed: int, etas: Path = ETAS) -> Training:
    """Return the training of a row at the best of its learning rates."""
    if not row.eta:
        return at(row, 0.0, seed)
    errors = known(etas).get(row.name)
    if not errors:
        raise KeyError(
            f"{etas} has no learning rate for {row.name}, but one that was tried is wanted: "
            f"python rates.py {row.name!r} --etas {etas}"
        )
    return at(row, float(min(errors, key=lambda eta: errors[eta])), seed)


def grid(name: str) -> tuple[float, ...]:
    """Return the rates that are tried for a row."""
    return GRIDS[max((begin for begin in GRIDS if name.startswith(begin)), key=len)]


def tried(rows: Sequence[Row], rates: Sequence[float], jobs: int, kept: Path) -> None:
    """Train rows at some rates, or at those of their grids, and keep what each came to."""
    for row in (row for row in rows if row.eta):
        etas = rates or grid(row.name)
        trainings = [at(row, eta, seed) for eta in etas for seed in SEEDS]
        found = asyncio.run(all_played(trainings, jobs, lambda _: None))
        errors = known(kept)
        for place, eta in enumerate(etas):
            seeds = found[place * len(SEEDS) : (place + 1) * len(SEEDS)]
            mean = sum(each["error"] for each in seeds) / len(SEEDS)
            errors.setdefault(row.name, {})[f"{eta:g}"] = round(mean, 5)
        print(row.name, errors[row.name], flush=True)
        text = json.dumps(errors, indent=1, ensure_ascii=False)
        kept.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Try the grid for the rows whose names are given, or begin as they do; or for all."""
    from compare import SECTIONS

    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("rows", nargs="*", help="names of rows, or how they begin")
    asked.add_argument("--rates", type=float, nargs="+", default=())
    asked.add_argument("--jobs", type=int, default=2)
    asked.add_argument("--data", type=Path, help="a folder with IDX or CIFAR-10 files")
    asked.add_argument("--etas", type=Path, default=ETAS, help="where what is found is kept")
    arguments = asked.parse_args()
    if arguments.data:
        os.environ["TETHER_DATA"] = str(arguments.data.absolute())
    torch.set_num_threads(1)
    rows = [row for make in SECTIONS.values() for row in make().rows]
    names = tuple(arguments.rows)
    chosen = [row for row in rows if not names or row.name.startswith(names)]
    tried(chosen, arguments.rates, arguments.jobs, arguments.etas)


if __name__ == "__main__":
    main()
