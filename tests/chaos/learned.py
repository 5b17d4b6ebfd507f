"""Torch's share of the chaos: a small problem to learn, large parameters, and a poisoned worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from tether.actors import Ref
from tether.protocols.easgd import Center, Worker
from tether.protocols.learner import Learner, Supervised


def model() -> nn.Module:
    """Make a small network that draws in every forward pass."""
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))


def small(seed: int) -> Learner:
    """Make a learner whose data are shuffled and whose network drops out."""
    inputs = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
    data = TensorDataset(inputs, inputs[:, :2].tanh())
    loader: DataLoader[Any] = DataLoader(data, batch_size=8, shuffle=True)
    network = model()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    return Supervised(network, mse_loss, loader, optimizer, seed=seed)


def start(n: int) -> Tensor:
    """Return the n numbers that learning begins at."""
    return torch.randn(n, generator=torch.Generator().manual_seed(0)) / 4


def zeros(n: int) -> Tensor:
    """Return a vector at the origin."""
    return torch.zeros(n)


class Poisoner:
    """Sends a vector that is not a number, and keeps what comes of it."""

    def __init__(self, center: Ref[Center], n: int) -> None:
        self.center, self.n, self.seen = center, n, ""

    async def run(self) -> None:
        x = torch.zeros(self.n)
        x[1] = torch.nan
        try:
            await self.center.exchange(x)
        except ValueError as error:
            self.seen = "; ".join([str(error), *error.__notes__[:1]])

    def state_dict(self) -> dict[str, str]:
        return {"seen": self.seen}


class Squares(nn.Module):
    """Has n parameters in 25 tensors, as a network of 25 layers."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.layers = nn.ParameterList(torch.ones(n // 25) for _ in range(25))


def square(network: nn.Module, batch: Any) -> Tensor:
    """Return the sum of all squares, a loss that needs no memory of its own."""
    return torch.stack([layer.dot(layer) for layer in network.parameters()]).sum()


def large(n: int) -> Learner:
    """Make a learner of n parameters without data, moved by plain gradient descent."""
    network = Squares(n)
    return Learner(network, square, Ticks(), torch.optim.SGD(network.parameters(), lr=0.1))


class Ticks:
    """Batches that hold nothing, without end."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 0


def resident(kind: str) -> float:
    """Return this process's memory in MB: "VmRSS" now, "VmHWM" at its highest."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1000
    raise LookupError(kind)


def forget_peak() -> float:
    """Have the highest memory of this process count from now on; return what it needs now."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


class WatchedCenter(Center):
    """A center that keeps how much memory it needed, and nothing else."""

    def __init__(self, x: Tensor, alpha: float) -> None:
        super().__init__(x, alpha)
        self.before = 0.0

    async def pull(self) -> Tensor:
        self.before = forget_peak()
        return await super().pull()

    def state_dict(self) -> dict[str, Any]:
        return {"before": self.before, "peak": resident("VmHWM")}


class WatchedWorker(Worker):
    """A worker that keeps how much memory it needed, and nothing else."""

    before = 0.0

    async def run(self) -> None:
        self.before = forget_peak()
        await super().run()

    def state_dict(self) -> dict[str, Any]:
        return {"before": self.before, "peak": resident("VmHWM")}
