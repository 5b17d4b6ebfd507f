"""Handwritten digits and a small network that learns them quickly, for all wirings beside this."""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from tether.protocols.learner import Supervised

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for what the examples share

import digits

ETA = 0.1


def network(seed: int = 0) -> nn.Module:
    """Return a network of 6,427 parameters for 28 × 28 pixels, the same one for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.AvgPool2d(2), nn.Flatten(), nn.Linear(196, 31), nn.ReLU(), nn.Linear(31, 10)
        )


def initial(seed: int = 0) -> Tensor:
    """Return the flat parameter vector that training begins at."""
    return digits.flat(network(seed))


def learner(
    index: int = 0, seed: int = 0, eta: float = ETA, device: torch.device | None = None
) -> Supervised:
    """Return what one worker learns: all training digits, in an order of its own."""
    model = network(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    return digits.learner(model, optimizer, index, seed, device)


def examiner(device: torch.device | None = None) -> Supervised:
    """Return what measures: the same network and the test digits."""
    return digits.examiner(network(), device)
