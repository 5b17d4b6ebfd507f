"""One rank of another system: `python -m benchmarks.rank SYSTEM RANK RANKS FOLDER STEPS`."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from benchmarks import learners
from benchmarks.film import Film

FILE_STORE: Any = dist.FileStore  # type: ignore[attr-defined]


class Rank:
    """What one process trains, the same as a worker of tether: network, batches and optimizer."""

    def __init__(self, index: int, count: int, folder: Path, steps: int) -> None:
        self.index, self.count, self.steps = index, count, steps
        self.store = FILE_STORE(str(folder / "store"), count)
        """Where ranks leave words for each other; `get` waits for one."""
        self.model = learners.network("cnn")
        self.optimizer = learners.optimizer(self.model)
        self.film, self.began, self.ended = Film(), 0.0, 0.0

    def train(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        wait: Callable[[], object] = lambda: None,
        since: int = 0,
    ) -> None:
        """Make all steps, after `wait`, which returns when all ranks are there.

        Rounds of averaging end after every so many steps, counted from `since`.
        """
        batches = forever(learners.batches(self.index))
        wait()
        self.began = time.monotonic()
        for t in range(1, self.steps + 1):
            pixels, labels = next(batches)
            optimizer.zero_grad()
            torch.autograd.backward(cross_entropy(model(pixels), labels))
            optimizer.step()
            if self.index == 0:
                self.film.see(t - since, parameters_to_vector(self.model.parameters()))
        self.ended = time.monotonic()

    def told(self) -> dict[str, object]:
        """Return begin, end and steps, and when the accuracy wanted was reached."""
        span = self.began, self.ended, self.steps
        if self.index != 0:
            return {"span": span}
        reached = self.film.reached(learners.GOAL, learners.examiner(), self.began)
        return {"span": span, "reached": asyncio.run(reached)}


def forever(batches: learners.Batches) -> Iterator[tuple[Tensor, Tensor]]:
    """Go through them again and again."""
    return chain.from_iterable(repeat(batches))


def main() -> None:
    """Train, and print what is told as a line of JSON."""
    system, index, count, folder, steps = sys.argv[1:]
    torch.set_num_threads(1)
    rank = Rank(int(index), int(count), Path(folder), int(steps))
    importlib.import_module(f"benchmarks.averagers.{system}").run(rank)
    print(json.dumps(rank.told()), flush=True)


if __name__ == "__main__":
    main()
