"""What the averaging protocols are measured with: networks, batches, and workers with a watch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from benchmarks.measure import Span
from tether.actors import oneway
from tether.protocols import easgd, gosgd
from tether.protocols.learner import Supervised

BATCHES, BATCH = 8, 32
ETA = 0.01


def network(kind: str) -> nn.Module:
    """Return "cnn", FedAvg's for MNIST (McMahan et al. 2017, 1,663,370 parameters), or "mlp"."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "mlp":
            return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
        return nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 10),
        )  # fmt: skip


def batches(index: int) -> list[tuple[Tensor, Tensor]]:
    """Return noise in the shape of digits: what a step costs does not depend on what is seen."""
    drawn = torch.Generator().manual_seed(index)
    return [
        (
            torch.randn(BATCH, 1, 28, 28, generator=drawn),
            torch.randint(10, (BATCH,), generator=drawn),
        )
        for _ in range(BATCHES)
    ]


def initial(kind: str) -> Tensor:
    """Return the flat parameter vector that all begin at."""
    return parameters_to_vector(network(kind).parameters()).detach()


def learner(kind: str, index: int = 0) -> Supervised:
    """Return what a worker learns."""
    model = network(kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=ETA)
    return Supervised(model, cross_entropy, batches(index), optimizer, seed=index)


class Watch:
    """Measures a worker's `run()`: when it began and ended, and how many steps it made."""

    steps: int
    _span: Span = 0.0, 0.0, 0

    async def measured(self) -> tuple[float, float, int]:
        """Return begin and end in seconds of the machine's clock, and the steps."""
        return self._span

    async def _timed(self, life: Coroutine[Any, Any, None]) -> None:
        begin = time.monotonic()
        await life
        self._span = begin, time.monotonic(), self.steps


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
