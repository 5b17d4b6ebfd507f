"""EASGD's center against plain SGD with the same number of gradient steps in all.

    python compare.py [RUN] [--data DIR]

Without a run directory the wiring beside this file is run first.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

import task
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from tether.runners.folder import final_state


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way of training came to."""

    name: str
    accuracy: float
    steps: int
    seconds: float


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("run", nargs="?", type=Path, help="a run directory of the wiring")
    asked.add_argument("--data", help="a folder with IDX or CIFAR-10 files")
    arguments = asked.parse_args()
    if arguments.data:
        os.environ["TETHER_DATA"] = arguments.data
    torch.set_num_threads(1)
    run = arguments.run or trained()
    show(*asyncio.run(compared(run)), exchanges(run))


def trained() -> Path:
    """Run the wiring and return its run directory."""
    run = Path("runs") / f"easgd-{datetime.now():%Y%m%d-%H%M%S}"
    wiring = Path(__file__).with_name("wiring.toml")
    command = [sys.executable, "-m", "tether.runners", "up", str(wiring), "--run", str(run)]
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)
    return run


async def compared(run: Path) -> tuple[Outcome, Outcome]:
    """Return what EASGD came to in a run, and SGD with as many steps as its workers together."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    workers = [actor for actor in summary["actors"] if actor["name"].startswith("worker/")]
    steps = sum(worker["steps"] for worker in workers)
    x: Tensor = final_state(run, "center/0")["x"]
    easgd = Outcome(f"EASGD, {len(workers)} workers", await accuracy(x), steps, summary["seconds"])
    return easgd, await sgd(steps)


def exchanges(run: Path) -> str:
    """Return how often the workers met the center, and what that carried."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    seconds = summary["seconds"]
    edges = {(edge["source"], edge["target"]): edge["traffic"] for edge in summary["edges"]}
    there, back = edges["worker", "center"], edges["center", "worker"]
    workers = [actor for actor in summary["actors"] if actor["name"].startswith("worker/")]
    met = there["handled"] - len(workers)  # all but each one's first pull are exchanges
    out, home = there["bytes"] / 1e6, back["bytes"] / 1e6
    return (
        f"{met} exchanges, {met / seconds:.1f} a second; {out:.0f} MB to the center and "
        f"{home:.0f} MB back, in {seconds:.1f} s of wall time"
    )


async def sgd(steps: int, seed: int = 0) -> Outcome:
    """Train alone, in one process and one thread."""
    learner = task.learner(seed=seed)
    began = perf_counter()
    for _ in range(steps):
        await learner.step()
    seconds = perf_counter() - began
    return Outcome("SGD, alone", await accuracy(learner.x), steps, seconds)


async def accuracy(x: Tensor) -> float:
    """Return the share of the test images that the network with parameters x gets right."""
    return (await task.examiner().measure(x))["accuracy"]


def show(easgd: Outcome, sgd: Outcome, exchanged: str) -> None:
    """Print both, what they differ by, and what the exchanges cost."""
    table = Table("", "test accuracy", "gradient steps", "steps/s", "seconds")
    for each in (easgd, sgd):
        rate = each.steps / each.seconds
        numbers = f"{each.accuracy:.2%}", f"{each.steps:,}", f"{rate:.0f}", f"{each.seconds:.0f}"
        table.add_row(each.name, *numbers)
    points = 100 * (easgd.accuracy - sgd.accuracy)
    console = Console(highlight=False)
    console.print(table, f"EASGD − SGD: {points:+.2f} points of accuracy", soft_wrap=True)
    console.print(exchanged, soft_wrap=True)


if __name__ == "__main__":
    main()
