"""How long an actor is away: after a SIGKILL, and while its state is copied for a checkpoint.

python benchmarks/recovery.py [--rounds 7] [--megabytes 100] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ["PYTHONPATH"] = sys.path[0]  # for the processes of the runs too

from benchmarks.mortals import Center, Victim
from tether.runners.world import World

CALM = 11.0
"""Seconds of life after which a death is the first in a row: its back-off is the shortest."""


async def away(rounds: int) -> list[float]:
    """Return the seconds from a SIGKILL to the next answer of the next incarnation."""
    tables = {"victim": {"actor": Victim, "max_restarts": 1000, "max_seconds": 1.0}}
    found = []
    async with World(tables, "processes") as world:
        victim = world.ref(Victim, "victim")
        for done in range(rounds):
            await asyncio.sleep(CALM if done else 0)
            pid = await victim.pid()
            began = perf_counter()
            os.kill(pid, signal.SIGKILL)
            while await answered(victim) in {0, pid}:
                pass
            found.append(perf_counter() - began)
    return found


async def answered(victim: Victim) -> int:
    """Return who answers, 0 if it died meanwhile."""
    try:
        return await victim.pid()
    except Exception:
        return 0


async def gaps(megabytes: int, checkpoint: float, seconds: float) -> list[float]:
    """Return how long each ask took of a center that is asked all the time."""
    run = {"checkpoint": checkpoint}
    tables = {"run": run, "center": {"actor": Center, "megabytes": megabytes}}
    found = []
    async with World(tables, "processes") as world:
        center = world.ref(Center, "center")
        end = perf_counter() + seconds
        while (began := perf_counter()) < end:
            await center.touch()
            found.append(perf_counter() - began)
    return found


async def longest(megabytes: int, checkpoint: float, rounds: int) -> list[float]:
    """Return the longest ask of each round."""
    return [max(await gaps(megabytes, checkpoint, 1.6)) for _ in range(rounds)]


def main() -> None:
    """Measure, and show it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured")
    parser.add_argument("--megabytes", type=int, default=100, help="size of the state")
    parser.add_argument("--json", type=Path, help="file to write all values to")
    given = parser.parse_args()
    size = f"{given.megabytes} MB"
    rows = {
        "SIGKILL to the next answer, no torch": asyncio.run(away(given.rounds)),
        f"longest ask in 1.6 s with one checkpoint of {size}": asyncio.run(
            longest(given.megabytes, 1.0, given.rounds)
        ),
        "longest ask in 1.6 s without": asyncio.run(longest(given.megabytes, 0.0, given.rounds)),
    }
    table = Table("ms", "median", "least", "greatest", "rounds")
    for name, values in rows.items():
        numbers = [f"{1000 * value:,.1f}" for value in (median(values), min(values), max(values))]
        table.add_row(name, *numbers, str(len(values)))
    Console(width=110).print(table)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
