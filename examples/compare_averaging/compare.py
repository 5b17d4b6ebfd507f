"""What the papers compare: averaging protocols with each other, and with what one learner does.

    python compare.py [SECTION ...] [--data DIR --etas FILE] [--out DIR] [--seeds N] [--jobs N]

Trains everything by simulation, several runs at once, and a row of each protocol with real
processes. Writes comparison.md and a figure for each section; prints each effect that is claimed
with its difference and its standard error. The exit code is 1 if one does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import gossip
import periods
import rounds
import stability
import torch
from page import Page
from play import Training, played
from pool import all_played
from rates import ETAS, tuned
from rich.progress import Progress
from section import Results, Row, Section, Verdict

SECTIONS: Mapping[str, Callable[..., Section]] = {
    "periods": periods.section,
    "gossip": gossip.section,
    "rounds": rounds.section,
    "stability": stability.section,
}
"""Each may be given how long its trainings are, where that is not to be as it is."""
PROCESSES = {
    "SGD, alone": "SGD p=1",
    "DOWNPOUR, τ = 4": "DOWNPOUR τ=4",
    "EASGD, τ = 16": "EASGD τ=16",
    "EAMSGD, τ = 16": "EAMSGD τ=16",
    "MDOWNPOUR, τ = 1": "MDOWNPOUR τ=1",
    "GoSGD, p = 0.1": "GoSGD p=0.1",
    "local SGD, H = 8": "local H=8",
}
"""Rows that are trained with real processes too, four workers each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare; return 0 if all holds that is claimed, and 1 otherwise."""
    arguments = asked(argv)
    if arguments.data:
        os.environ["TETHER_DATA"] = str(arguments.data.absolute())
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    began, page, verdicts = perf_counter(), Page(arguments.out), list[Verdict]()
    length = {} if arguments.length is None else {"length": arguments.length}
    chosen = [SECTIONS[key](**length) for key in arguments.sections or SECTIONS]
    if arguments.data:
        chosen = [section.harder() for section in chosen]
    for section in chosen:
        kept = arguments.out / f"{section.key}.json"
        if arguments.again:
            results = json.loads(kept.read_text(encoding="utf-8"))
        else:
            results = trained(section, arguments.seeds, arguments.jobs, arguments.etas)
            kept.write_text(json.dumps(results), encoding="utf-8")
        verdicts += page.add(section, results)
        page.write(timedelta(seconds=round(perf_counter() - began)))
    if arguments.processes:
        rows = [row for section in chosen for row in section.rows]
        page.add_processes(real(rows, arguments.etas))
        page.write(timedelta(seconds=round(perf_counter() - began)))
    failed = [verdict for verdict in verdicts if not verdict.holds]
    print(f"\n{len(verdicts) - len(failed)} of {len(verdicts)} claims hold; see {page.path}")
    return 1 if failed else 0


def asked(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--data", type=Path, help="a folder with IDX or CIFAR-10 files")
    parser.add_argument("--etas", type=Path, help="the learning rates for that data (rates.py)")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="where to write")
    parser.add_argument("--seeds", type=int, default=8, help="how many there are of each row")
    parser.add_argument("--jobs", type=int, default=2, help="how many trainings go on at once")
    parser.add_argument("--length", type=int, help="steps of a worker, to try the program")
    parser.add_argument("--again", action="store_true", help="show what was trained before")
    parser.add_argument("--no-processes", dest="processes", action="store_false")
    arguments = parser.parse_args(argv)
    if unknown := [key for key in arguments.sections if key not in SECTIONS]:
        parser.error(f"there is no section {unknown[0]}; there are {', '.join(SECTIONS)}")
    if arguments.data and not arguments.etas:
        parser.error(
            f"{ETAS.name} has learning rates for the digits, but --data has other images: add "
            "--etas FILE, which rates.py writes for them"
        )
    arguments.etas = arguments.etas or ETAS
    return arguments


def trained(section: Section, seeds: int, jobs: int, etas: Path) -> Results:
    """Return what came of all rows of a section with every seed."""
    each = range(seeds if section.chance else 1)
    trainings = [tuned(row, seed, etas) for row in section.rows for seed in each]
    with Progress(transient=True) as progress:
        task = progress.add_task(section.key, total=len(trainings))
        found = asyncio.run(all_played(trainings, jobs, lambda _: progress.advance(task)))
    count = len(each)
    return {
        row.name: found[place * count : (place + 1) * count]
        for place, row in enumerate(section.rows)
    }


def real(rows: Sequence[Row], etas: Path) -> dict[str, dict[str, float]]:
    """Train some rows once with a process for each actor."""
    by_name = {row.name: row for row in rows}
    return {
        title: played(four(tuned(by_name[name], 0, etas)))
        for title, name in PROCESSES.items()
        if name in by_name
    }


def four(training: Training) -> Training:
    """Return a training with real processes, four of them where there were more."""
    sets = {**training.sets}
    if "worker.count" in sets or training.wiring in {"gosgd.toml", "local.toml"}:
        sets["worker.count"] = 4
    return replace(training, sets=sets, kind="processes")


if __name__ == "__main__":
    sys.exit(main())
