"""CIFAR-10 as both papers take it, for the wirings beside this file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import networks
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector
from torch.optim.lr_scheduler import MultiStepLR

from tether.protocols.learner import Supervised

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the examples' one loader module

import data

KINDS = {"seven_layers": (networks.seven_layers, 28, 0), "resnet_20": (networks.resnet_20, 32, 4)}
"""Of each network: how to make it, the side of the square it sees, the black border added."""


class Squares:
    """Goes through pictures once each time it is iterated, as floats, a square of each.

    With a seed in an order of its own, squares at places drawn anew, half of them mirrored; without
    one in order, the square in the middle. Channels come as (value − mean) / deviation.
    """

    def __init__(self, images: data.Images, size: int, kind: str, seed: int | None = None) -> None:
        _, self.side, self.border = KINDS[kind]
        self.images, self.size = images, size
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        count = len(self.images)
        if self.generator is None:
            order = torch.arange(count)
        else:
            order = torch.randperm(count, generator=self.generator)
        for chosen in torch.split(order, self.size):
            batch = self.images[chosen]
            yield self._seen(normal(batch.pixels)), batch.labels

    def _seen(self, x: Tensor) -> Tensor:
        if self.generator is None:
            edge = (x.shape[-1] - self.side) // 2
            return x[..., edge : edge + self.side, edge : edge + self.side]
        x = nn.functional.pad(x, [self.border] * 4)
        n, room = len(x), x.shape[-1] - self.side + 1
        top, left = torch.randint(room, (2, n, 1), generator=self.generator)
        rows, columns = (edge + torch.arange(self.side) for edge in (top, left))
        mirrored = torch.rand(n, generator=self.generator) < 0.5
        columns[mirrored] = columns[mirrored].flip(1)
        each = torch.arange(n)[:, None, None]
        return x.movedim(1, -1)[each, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def normal(pixels: Tensor) -> Tensor:
    """Return pixels (N × 3 × 32 × 32, uint8) as floats of about mean 0 and deviation 1."""
    mean = torch.tensor([125.3, 123.0, 113.9]).view(3, 1, 1)
    deviation = torch.tensor([63.0, 62.1, 66.7]).view(3, 1, 1)
    return (pixels.float() - mean) / deviation


def pictures() -> tuple[data.Images, data.Images]:
    """Return training and test pictures; raises ValueError unless they are CIFAR-10's."""
    train, test = data.load()
    if train.pixels.shape[1:] != (3, 32, 32):
        raise ValueError(
            f"the pictures are {' × '.join(map(str, train.pixels.shape[1:]))}, but CIFAR-10's "
            "3 × 32 × 32 are wanted: point --data, or TETHER_DATA, at its binary files"
        )
    return train, test


def network(kind: str, seed: int = 0) -> nn.Module:
    """Return the same network of a kind for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KINDS[kind][0]()


def initial(kind: str, seed: int = 0) -> Tensor:
    """Return the flat parameter vector that training begins at."""
    return parameters_to_vector(network(kind, seed).parameters()).detach()


def learner(
    kind: str,
    index: int = 0,
    seed: int = 0,
    eta: float = 0.05,
    batch: int = 128,
    momentum: float = 0.0,
    decay: float = 1e-4,
    milestones: Sequence[int] = (),
    device: torch.device | None = None,
) -> Supervised:
    """Return what one worker learns: all training pictures, in an order of its own.

    At each of the milestones, which are steps, η becomes a tenth.
    """
    model = network(kind, seed)
    squares = Squares(pictures()[0], batch, kind, seed=1000 * seed + index)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=eta, momentum=momentum, nesterov=momentum > 0, weight_decay=decay
    )
    schedule = MultiStepLR(optimizer, list(milestones), 0.1)
    return Supervised(model, cross_entropy, squares, optimizer, schedule, device, seed=index)


def examiner(kind: str, device: torch.device | None = None) -> Supervised:
    """Return what measures: the same network and the test pictures."""
    squares = Squares(pictures()[1], 250, kind)
    return Supervised(network(kind), cross_entropy, squares, device=device)
