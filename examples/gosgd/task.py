"""Handwritten digits and a small convolutional network, for the wirings beside this file."""

import sys
from pathlib import Path

import torch

from tether.protocols.learner import Supervised

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for what the examples share

import digits

ETA = 0.05


def learner(
    index: int = 0, seed: int = 0, eta: float = ETA, device: torch.device | None = None
) -> Supervised:
    """Return what one peer learns: all training digits, in an order of its own."""
    model = digits.lenet(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    return digits.learner(model, optimizer, index, seed, device)


def examiner(device: torch.device | None = None) -> Supervised:
    """Return what measures: the same network and the test digits."""
    return digits.examiner(digits.lenet(), device)
