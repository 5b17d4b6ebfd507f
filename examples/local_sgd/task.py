"""Handwritten digits and a small convolutional network, for the wirings beside this file."""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from tether.protocols.learner import Supervised

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the examples' one loader module

import data

BATCH = 32
OPTIMIZERS = {
    "sgd": lambda p, eta: torch.optim.SGD(p, lr=eta, momentum=0.9, nesterov=True),
    "adamw": lambda p, eta: torch.optim.AdamW(p, lr=eta),
}


def network(seed: int = 0) -> nn.Module:
    """Return a LeNet of 46,730 parameters for 28 × 28 pixels, the same one for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            *(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)),
        )


def initial(seed: int = 0) -> Tensor:
    """Return the flat parameter vector that training begins at."""
    return parameters_to_vector(network(seed).parameters()).detach()


def learner(
    index: int = 0,
    first: int = 0,
    seed: int = 0,
    eta: float = 0.02,
    optimizer: str = "sgd",
    device: torch.device | None = None,
) -> Supervised:
    """Return what one worker learns: all training digits, in an order of its own.

    Workers of a second table count on from `first`.
    """
    model = network(seed)
    train, _ = data.load()
    batches = data.Batches(train, BATCH, seed=1000 * seed + first + index)
    made = OPTIMIZERS[optimizer](model.parameters(), eta)
    return Supervised(model, cross_entropy, batches, made, device=device, seed=first + index)


def examiner(device: torch.device | None = None) -> Supervised:
    """Return what measures: the same network and the test digits."""
    _, test = data.load()
    return Supervised(network(), cross_entropy, data.Batches(test, 250), device=device)
