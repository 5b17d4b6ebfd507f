"""Steps a second of the averaging protocols, beside the same workers that exchange nothing.

python benchmarks/averaging.py [--rounds 5] [--steps 100] [--only easgd,mlp,delay] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ["PYTHONPATH"] = sys.path[0]  # for the processes of the runs too

import torch

from benchmarks import learners
from benchmarks.learners import Elastic, Gossiping, SlowCenter, SlowPeer
from benchmarks.measure import together
from tether.protocols.easgd import Center
from tether.runners.world import World

NEVER = 1 << 30
"""A period after which nothing is exchanged but once, at the beginning."""
Rate = Callable[[int], float]
"""Makes so many steps a worker, and returns how many all made in a second."""


@dataclass(frozen=True)
class Row:
    """One way of averaging, and the row whose rate its own is compared with."""

    group: str
    name: str
    rate: Rate
    reference: str
    wanted: str = ""


def elastic(kind: str, workers: int, tau: int, center: type = Center) -> Rate:
    """Return what measures EASGD."""
    worker = {
        "actor": Elastic, "count": workers, "center": "@center", "tau": tau,
        "learner": {"make": learners.learner, "kind": kind, "index": "$index"},
    }  # fmt: skip
    x = {"make": learners.initial, "kind": kind}
    return run({"center": {"actor": center, "x": x, "alpha": 0.225}, "worker": worker})


def gossip(kind: str, peers: int, p: float, peer: type = Gossiping) -> Rate:
    """Return what measures GoSGD."""
    table = {
        "actor": peer, "count": peers, "peers": "@worker[others]", "M": "$count", "p": p,
        "learner": {"make": learners.learner, "kind": kind, "index": "$index"},
    }  # fmt: skip
    return run({"worker": table})


def run(tables: Mapping[str, dict[str, Any]]) -> Rate:
    """Return what runs these tables, each actor in a process, with so many steps."""

    async def measured(steps: int) -> float:
        wiring = {**tables, "worker": {**tables["worker"], "steps": steps}}
        wiring["run"] = {"checkpoint": 0}
        async with World(wiring, "processes") as world:
            await world.finished()
            count = tables["worker"]["count"]
            workers = [world.ref(tables["worker"]["actor"], f"worker/{k}") for k in range(count)]
            return together([await worker.measured() for worker in workers])

    return lambda steps: asyncio.run(measured(steps))


ROWS = [
    Row("easgd", "4 workers, no exchange", elastic("cnn", 4, NEVER), ""),
    Row("easgd", "4 workers, τ = 10", elastic("cnn", 4, 10), "4 workers, no exchange", "≥ 0.95"),
    Row("easgd", "4 workers, τ = 1", elastic("cnn", 4, 1), "4 workers, no exchange", "≥ 0.85"),
    Row("easgd", "1 worker, no exchange", elastic("cnn", 1, NEVER), ""),
    Row("easgd", "1 worker, τ = 1", elastic("cnn", 1, 1), "1 worker, no exchange", "≥ 0.95"),
    Row("mlp", "MLP, 4 workers, no exchange", elastic("mlp", 4, NEVER), ""),
    Row("mlp", "MLP, 4 workers, τ = 1", elastic("mlp", 4, 1), "MLP, 4 workers, no exchange"),
    Row("delay", "EASGD, τ = 1", elastic("cnn", 4, 1), ""),
    Row("delay", "EASGD, τ = 1, 20 ms", elastic("cnn", 4, 1, SlowCenter), "EASGD, τ = 1", "falls"),
    Row("delay", "GoSGD, p = 1", gossip("cnn", 4, 1.0), ""),
    Row("delay", "GoSGD, p = 1, 20 ms", gossip("cnn", 4, 1.0, SlowPeer), "GoSGD, p = 1", "flat"),
]  # fmt: skip


def gradient(kind: str, steps: int = 30) -> float:
    """Return the milliseconds of a step in this process, which exchanges nothing."""
    learner = learners.learner(kind)

    async def timed() -> float:
        await learner.step()
        begin = time.perf_counter()
        for _ in range(steps):
            await learner.step()
        return (time.perf_counter() - begin) / steps * 1000

    return asyncio.run(timed())


def main() -> None:
    """Measure all rows in turn, round after round; print medians and ratios with their spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="of each worker")
    parser.add_argument("--only", default="", help="groups: easgd, mlp, delay")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for kind in ("cnn", "mlp"):
        print(f"a step of the {kind}: {gradient(kind):.2f} ms", flush=True)
    chosen = [row for row in ROWS if not options.only or row.group in options.only.split(",")]
    found: dict[str, list[float]] = {row.name: [] for row in chosen}
    for done in range(options.rounds):
        for row in chosen:
            print(f"round {done + 1}/{options.rounds}  {row.name}", file=sys.stderr, flush=True)
            found[row.name].append(row.rate(options.steps))
    show(chosen, found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def show(chosen: list[Row], found: Mapping[str, list[float]]) -> None:
    """Print the table."""
    table = Table("", "steps/s", "of its reference", "wanted")
    for row in chosen:
        rates, others = found[row.name], found.get(row.reference, [])
        ratios = [mine / theirs for mine, theirs in zip(rates, others, strict=False)]
        table.add_row(row.name, spread(rates, ".1f"), spread(ratios, ".2f"), row.wanted)
    Console().print(table)


def spread(values: list[float], digits: str) -> str:
    """Return the median, the least and the greatest."""
    if not values:
        return ""
    return f"{median(values):{digits}} ({min(values):{digits}}..{max(values):{digits}})"


if __name__ == "__main__":
    main()
