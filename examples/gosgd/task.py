"""Handwritten digits and a small convolutional network, for the wirings beside this file."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tether.protocols.learner import Supervised

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the examples' one loader module

import data

BATCH = 32
ETA = 0.05


def network(seed: int = 0) -> nn.Module:
    """Return a LeNet of 46,730 parameters for 28 × 28 pixels, the same one for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(512, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )


def learner(
    index: int = 0, seed: int = 0, eta: float = ETA, device: torch.device | None = None
) -> Supervised:
    """Return what one peer learns: all training digits, in an order of its own."""
    model = network(seed)
    train, _ = data.load()
    batches = data.Batches(train, BATCH, seed=1000 * seed + index)
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    return Supervised(model, cross_entropy, batches, optimizer, device=device, seed=index)


def examiner(device: torch.device | None = None) -> Supervised:
    """Return what measures: the same network and the test digits."""
    _, test = data.load()
    return Supervised(network(), cross_entropy, data.Batches(test, 250), device=device)
