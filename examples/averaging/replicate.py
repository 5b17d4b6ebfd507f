"""The papers' own networks on CIFAR-10: replicate.py --data DIR [--for SECONDS].

Each run is a folder below `runs/averaging`. What was interrupted goes on where it was, what has
ended is kept, and the table of all that have ended is printed at the end, so that the whole may be
made in many short parts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import task
import torch
from torch import Tensor

from tether.runners.folder import final_state
from tether.runners.summary import read_summary

HERE = Path(__file__).resolve().parent
RUNS = Path("runs") / "averaging"
LEAST = 30.0
"""Seconds that have to be left for a run to be begun, or gone on with."""


@dataclass(frozen=True)
class Way:
    """A row of the table: a wiring with what is set in it, and where its result lies."""

    name: str
    wiring: str
    kind: str
    sets: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    holder: str = "center"
    """Who holds what all have agreed on in the end."""


EASGD = ("easgd.toml", "seven_layers")
LOCAL = ("local_sgd.toml", "resnet_20")
EACH_STEP = ("aggregator.H.H=1",)
POST_LOCAL = ("aggregator.H={make='tether.protocols.schedule:post_local', H=8, start=300}",)
LARGE = (
    "aggregator.H.H=1", "worker.steps=75", "worker.learner.batch=256",
    "worker.learner.milestones=[38, 56]",
)  # fmt: skip
"""As many pictures a round as with H = 8."""
WAYS = [
    Way("EASGD, τ = 10", *EASGD),
    Way("EAMSGD, τ = 10, δ = 0.9", *EASGD, ("worker.delta=0.9", "worker.learner.eta=0.01")),
    Way("local SGD, H = 8", *LOCAL, holder="aggregator"),
    Way("post-local SGD, H = 1, then 8", *LOCAL, POST_LOCAL, holder="aggregator"),
    Way("mini-batch SGD, H = 1", *LOCAL, EACH_STEP, holder="aggregator"),
    Way("large-batch SGD, 8 B, H = 1", *LOCAL, LARGE, holder="aggregator"),
]


def main() -> None:
    """Make what time there is for, and print the table."""
    options = arguments()
    if options.data:
        os.environ["TETHER_DATA"] = str(options.data.resolve())
    torch.set_num_threads(1)
    end = monotonic() + options.seconds
    for way, seed in [(way, seed) for seed in (0, 1, 2) for way in WAYS if seed in way.seeds]:
        left = end - monotonic()
        if not (folder(way, seed) / "error.json").exists() and left > LEAST:
            train(way, seed, left)
    print("\n".join(table()))


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with CIFAR-10's binary files")
    parser.add_argument("--for", dest="seconds", type=float, default=float("inf"))
    return parser.parse_args()


def folder(way: Way, seed: int) -> Path:
    """Return where a run is kept."""
    words = "".join(letter if letter.isalnum() else " " for letter in way.name).split()
    return RUNS / f"{'-'.join(words)}-{seed}"


def train(way: Way, seed: int, seconds: float) -> None:
    """Begin a run or go on with it, and measure it if it comes to its end in time."""
    run = folder(way, seed)
    x = "c" if way.holder == "aggregator" else "x"
    seeds = [f"run.seed={seed}", f"worker.learner.seed={seed}", f"{way.holder}.{x}.seed={seed}"]
    command = [sys.executable, "-m", "tether.runners", "up", str(HERE / way.wiring)]
    command += [f"--set={each}" for each in (*way.sets, *seeds)]
    command += ["--resume" if begun(run) else "--run", str(run)]
    command += [] if seconds == float("inf") else ["--for", f"{seconds:.0f}s"]
    print(f"{way.name}, seed {seed}: {' '.join(command[5:])}", flush=True)
    ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if ended.returncode:  # it was interrupted, or has said what is wrong
        raise SystemExit(ended.returncode)
    if read_summary(run).outcome == "finished":
        measured = asyncio.run(measure(way, run))
        (run / "error.json").write_text(json.dumps({"error": 1 - measured["accuracy"]}))
        print(f"{way.name}, seed {seed}: test error {1 - measured['accuracy']:.2%}", flush=True)


def begun(run: Path) -> bool:
    """Tell whether a run can be gone on with; one that came to no checkpoint is thrown away."""
    if any((run / "checkpoints").glob("worker*")):
        return True
    shutil.rmtree(run, ignore_errors=True)
    return False


async def measure(way: Way, run: Path) -> dict[str, float]:
    """Return test loss and accuracy of what a run has come to, with the workers' mean buffers."""
    examiner, held = task.examiner(way.kind), final_state(run, way.holder)
    examiner.load_buffers(buffers(run))
    return await examiner.measure(held["c" if "c" in held else "x"])


def buffers(run: Path) -> dict[str, Tensor]:
    """Return the mean of the buffers that the workers ended with."""
    workers = sorted(path.stem for path in (run / "state").glob("worker*"))
    states = [learned(final_state(run, name.replace("-", "/")))["buffers"] for name in workers]
    return {name: mean([state[name] for state in states]) for name in states[0]}


def mean(values: list[Tensor]) -> Tensor:
    """Return their mean, in their own type."""
    return torch.stack([value.double() for value in values]).mean(0).to(values[0].dtype)


def learned(state: dict[str, Any]) -> dict[str, dict[str, Tensor]]:
    """Return the learner's part of a worker's state, wherever it lies."""
    found: dict[str, dict[str, Tensor]] = state.get("local", state)["learner"]
    return found


def table() -> Iterator[str]:
    """Yield the table of all that has come to its end."""
    yield "| | test error | standard error | seeds |"
    yield "|---|---|---|---|"
    for way in WAYS:
        files = [folder(way, seed) / "error.json" for seed in way.seeds]
        errors = [json.loads(path.read_text())["error"] for path in files if path.exists()]
        if errors:
            spread = statistics.stdev(errors) / len(errors) ** 0.5 if len(errors) > 1 else 0.0
            yield f"| {way.name} | {statistics.mean(errors):.2%} | {spread:.2%} | {len(errors)} |"


if __name__ == "__main__":
    main()
