"""The comparison of compare.py over seeds and periods τ: `python replicate.py`, some minutes.

Prints a table: mean test accuracy of the center and its standard error, beside plain SGD's.
"""

import asyncio
import statistics
import subprocess
import sys
from pathlib import Path

import compare
import torch
from rich.console import Console
from rich.table import Table

from tether.runners.folder import final_state

SEEDS = (0, 1, 2)
WAYS = {
    "EASGD, τ = 1": ["worker.tau=1"],
    "EASGD, τ = 10": ["worker.tau=10"],
    "EASGD, τ = 64": ["worker.tau=64"],
    "EAMSGD, τ = 10, δ = 0.9, η = 0.01": [
        "worker.tau=10", "worker.delta=0.9", "worker.learner.eta=0.01",
    ],
}  # fmt: skip
WIRING = Path(__file__).with_name("wiring.toml")


def main() -> None:
    """Train every way with every seed, and print the table."""
    torch.set_num_threads(1)
    table = Table("", "test accuracy", "standard error")
    for name, sets in WAYS.items():
        row(table, name, [trained(name, sets, seed) for seed in SEEDS])
    alone = [asyncio.run(compare.sgd(4000, seed)).accuracy for seed in SEEDS]
    row(table, "SGD, alone", alone)
    Console().print(table)


def trained(name: str, sets: list[str], seed: int) -> float:
    """Run the wiring once; return the test accuracy of the center."""
    run = Path("runs") / f"replicate-{len(sets)}-{sets[0].replace('=', '')}-{seed}"
    seeds = [f"run.seed={seed}", f"worker.learner.seed={seed}", f"center.x.seed={seed}"]
    options = [f"--set={each}" for each in (*sets, *seeds)]
    command = [sys.executable, "-m", "tether.runners", "up", str(WIRING), "--run", str(run)]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    accuracy = asyncio.run(compare.accuracy(final_state(run, "center")["x"]))
    print(f"{name}, seed {seed}: {accuracy:.2%}", flush=True)
    return accuracy


def row(table: Table, name: str, accuracies: list[float]) -> None:
    """Add mean and standard error of one way."""
    error = statistics.stdev(accuracies) / len(accuracies) ** 0.5
    table.add_row(name, f"{statistics.mean(accuracies):.2%}", f"{error:.2%}")


if __name__ == "__main__":
    main()
