"""Handwritten digits and a small convolutional network, as several examples learn them."""

from __future__ import annotations

from functools import cache

import data
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from tether.protocols.learner import Supervised

BATCH = 32


@cache
def images() -> tuple[data.Images, data.Images]:
    """Return the digits to train on and to test with, which all of a process have in common."""
    return data.load()


def lenet(seed: int = 0) -> nn.Module:
    """Return a LeNet of 46,730 parameters for 28 × 28 pixels, the same one for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            *(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)),
        )


def flat(model: nn.Module) -> Tensor:
    """Return a copy of a model's parameters as one vector: where a center begins."""
    return parameters_to_vector(model.parameters()).detach()


def learner(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    index: int = 0,
    seed: int = 0,
    device: torch.device | None = None,
) -> Supervised:
    """Return what one of several learns: all training digits, in an order of its own."""
    train, _ = images()
    batches = data.Batches(train, BATCH, seed=1000 * seed + index)
    return Supervised(model, cross_entropy, batches, optimizer, device=device, seed=index)


def examiner(model: nn.Module, device: torch.device | None = None) -> Supervised:
    """Return what measures: a network and the test digits."""
    _, test = images()
    return Supervised(model, cross_entropy, data.Batches(test, 250), device=device)
