"""Handwritten digits and a small convolutional network, for the wirings beside this file."""

import sys
from pathlib import Path

import torch
from torch import Tensor

from tether.protocols.learner import Supervised

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for what the examples share

import digits

OPTIMIZERS = {
    "sgd": lambda p, eta: torch.optim.SGD(p, lr=eta, momentum=0.9, nesterov=True),
    "adamw": lambda p, eta: torch.optim.AdamW(p, lr=eta),
}


def initial(seed: int = 0) -> Tensor:
    """Return the flat parameter vector that training begins at."""
    return digits.flat(digits.lenet(seed))


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
    model = digits.lenet(seed)
    made = OPTIMIZERS[optimizer](model.parameters(), eta)
    return digits.learner(model, made, first + index, seed, device)


def examiner(device: torch.device | None = None) -> Supervised:
    """Return what measures: the same network and the test digits."""
    return digits.examiner(digits.lenet(), device)
