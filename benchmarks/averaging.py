"""Averaging protocols: steps a second beside no exchange at all, and seconds to an accuracy.

python benchmarks/averaging.py [--rounds 5] [--steps 100] [--only easgd,mlp,delay,rounds]
                               [--data DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ["PYTHONPATH"] = sys.path[0]  # for the processes of the runs too

import torch

from benchmarks import learners
from benchmarks.learners import GOAL, H, SlowCenter, SlowPeer
from benchmarks.ways import NEVER, Measured, Way, elastic, gossip, local, ranks

CNN = "4 workers, no exchange"
ALONE = "1 worker, no exchange"
MLP = "MLP, no exchange"
STILL = "MLP, nothing but exchanges"
ELASTIC = "MLP, EASGD, τ = 10"
GOSSIP = "MLP, GoSGD, p = 0.1"
DDP = "DistributedDataParallel (gloo)"
POST_LOCAL = f"PostLocalSGDOptimizer (gloo), H = {H}"
WAYS = [
    Way("easgd", CNN, elastic("cnn", 4, NEVER)),
    Way("easgd", "4 workers, τ = 10", elastic("cnn", 4, 10), CNN, "≥ 0.95"),
    Way("easgd", "4 workers, τ = 1", elastic("cnn", 4, 1), CNN, "≥ 0.85"),
    Way("easgd", ALONE, elastic("cnn", 1, NEVER)),
    Way("easgd", "1 worker, τ = 1", elastic("cnn", 1, 1), ALONE, "≥ 0.95"),
    Way("mlp", MLP, elastic("mlp", 4, NEVER), pace=20),
    Way("mlp", STILL, elastic("still", 4, 1), pace=20),
    Way("mlp", "MLP, τ = 1", elastic("mlp", 4, 1), MLP, pace=20),
    Way("delay", ELASTIC, elastic("mlp", 4, 10), pace=20),
    Way("delay", f"{ELASTIC}, 20 ms", elastic("mlp", 4, 10, SlowCenter), ELASTIC, "falls", pace=20),
    Way("delay", GOSSIP, gossip("mlp", 4, 0.1), pace=20),
    Way("delay", f"{GOSSIP}, 20 ms", gossip("mlp", 4, 0.1, SlowPeer), GOSSIP, "flat", pace=20),
    Way("rounds", DDP, ranks("ddp")),
    Way("rounds", "local SGD, H = 1", local(1), DDP, "≥ 0.9"),
    Way("rounds", f"local SGD, H = {H}", local(H), DDP, "no later"),
    Way("rounds", POST_LOCAL, ranks("post_local"), DDP),
    Way("rounds", f"torchft's LocalSGD, H = {H}", ranks("torchft"), DDP, needs="torchft"),
    Way("rounds", f"hivemind's Optimizer, H = {H}", ranks("hivemind"), DDP, needs="hivemind"),
]
"""Four processes train the cnn where nothing else is said; the mlp makes more steps."""


def main() -> None:
    """Measure all ways in turn, round after round; print medians and ratios with their spread."""
    options = arguments()
    if options.data:
        os.environ["TETHER_DATA"] = str(options.data.resolve())
    torch.set_num_threads(1)
    for kind in ("cnn", "mlp"):
        print(f"a step of the {kind}: {gradient(kind):.2f} ms", flush=True)
    found = measured(chosen(options.only.split(",")), options.rounds, options.steps)
    print("\n".join(table(found)), *bound(found), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="of each worker")
    parser.add_argument("--only", default="easgd,mlp,delay,rounds", help="groups")
    parser.add_argument("--data", type=Path, help="a folder with MNIST's IDX files")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    return parser.parse_args()


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


def chosen(groups: Sequence[str]) -> list[Way]:
    """Return the ways of some groups, without those whose package is not installed."""
    ways = [way for way in WAYS if way.group in groups]
    missing = {way.needs for way in ways if way.needs and not importlib.util.find_spec(way.needs)}
    for name in sorted(missing):
        print(f"{name} is left out: the package {name} is not installed", file=sys.stderr)
    return [way for way in ways if way.needs not in missing]


def measured(ways: Sequence[Way], rounds: int, steps: int) -> dict[str, list[Measured]]:
    """Return what each way has come to in each round."""
    found: dict[str, list[Measured]] = {way.name: [] for way in ways}
    for done in range(rounds):
        for way in ways:
            print(f"round {done + 1}/{rounds}  {way.name}", file=sys.stderr, flush=True)
            found[way.name].append(way.measured(steps))
    return found


def table(found: Mapping[str, Sequence[Measured]]) -> list[str]:
    """Return the lines of the table: medians, and the medians of the rounds' own ratios."""
    lines = [
        f"| | steps/s | of its reference | seconds to {GOAL:.0%} | of its reference | wanted |",
        "|---|---|---|---|---|---|",
    ]
    for way in WAYS:
        if way.name not in found:
            continue
        mine, theirs = found[way.name], found.get(way.reference, [])
        rates, seconds = ([each.rate for each in mine], [each.reached for each in mine])
        cells = [
            spread(rates, ".1f"), ratios(rates, [each.rate for each in theirs]),
            spread(seconds, ".1f"), ratios(seconds, [each.reached for each in theirs]),
        ]  # fmt: skip
        lines.append(f"| {way.name} | {' | '.join(cells)} | {way.wanted} |")
    return lines


def ratios(mine: Sequence[float], theirs: Sequence[float]) -> str:
    """Return the spread of the rounds' own ratios."""
    return spread([one / other for one, other in zip(mine, theirs, strict=False)], ".2f")


def spread(values: Sequence[float], digits: str) -> str:
    """Return the median, the least and the greatest; nothing if there is no number."""
    numbers = [value for value in values if value == value]
    if not numbers:
        return ""
    missing = f", {len(values) - len(numbers)} never" if len(numbers) < len(values) else ""
    low, high = min(numbers), max(numbers)
    return f"{median(numbers):{digits}} ({low:{digits}}..{high:{digits}}{missing})"


def bound(found: Mapping[str, Sequence[Measured]]) -> list[str]:
    """Return g/(g+c) of the mlp: what is left for gradients when nothing can be hidden.

    A gradient takes g of the machine and an exchange c, so that nothing but gradients are made at
    a rate of 1/g, and nothing but exchanges at 1/c.
    """
    if MLP not in found or STILL not in found:
        return []
    rates = [(one.rate, other.rate) for one, other in zip(found[MLP], found[STILL], strict=True)]
    limits = [exchanges / (exchanges + gradients) for gradients, exchanges in rates]
    return [f"\nThe bound g/(g+c) of the MLP at τ = 1: {spread(limits, '.2f')}"]


if __name__ == "__main__":
    main()
