"""Images and a small network, for the wirings beside this file."""

import sys
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from tether.protocols.learner import Supervised

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the examples' one loader module

import data

TRAIN, TEST = 10_000, 5_000
"""Images that are taken of a larger set, the first ones."""
FEW = 2_000
"""Of these, as many as are learned from where it is about generalisation."""
DECAY = 1e-4


@cache
def images() -> tuple[data.Images, data.Images]:
    """Return the images to train on and to test with."""
    train, test = data.load()
    return train[:TRAIN], test[:TEST]


def network(seed: int = 0) -> nn.Module:
    """Return a perceptron with 32 hidden units, the same one for the same seed."""
    pixels = images()[0].pixels[0].numel()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = nn.Linear(pixels, 32), nn.ReLU(), nn.Linear(32, 10)
        return nn.Sequential(nn.Flatten(), *layers)


def initial(seed: int = 0) -> Tensor:
    """Return the flat parameter vector that training begins at."""
    return parameters_to_vector(network(seed).parameters()).detach()


def learner(
    index: int = 0,
    seed: int = 0,
    eta: float = 0.1,
    batch: int = 32,
    decay: float = DECAY,
) -> Supervised:
    """Return what one worker learns: all training images, in an order of its own."""
    model = network(seed)
    batches = data.Batches(images()[0], batch, seed=1000 * seed + index)
    optimizer = torch.optim.SGD(model.parameters(), lr=eta, weight_decay=decay)
    return Supervised(model, cross_entropy, batches, optimizer, seed=index)


def examiner() -> Supervised:
    """Return what measures: the same network and the test images."""
    return Supervised(network(), cross_entropy, data.Batches(images()[1], 500))


def decayed(
    index: int = 0, seed: int = 0, eta: float = 0.05, batch: int = 16, steps: int = 150
) -> Supervised:
    """Return one for local SGD's comparison: few images, local momentum, and a rate that falls.

    It rises for an eighth of all steps, and falls to a tenth after half and three quarters of them.
    """
    model, few = network(seed), images()[0]
    some = torch.randperm(len(few), generator=torch.Generator().manual_seed(7))[:FEW]
    batches = data.Batches(few[some], batch, seed=1000 * seed + index)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=eta, momentum=0.9, nesterov=True, weight_decay=5e-4
    )

    def factor(t: int) -> float:
        warm = min(1.0, (t + 1) / max(1, steps // 8))
        return warm * 0.1 ** ((t >= steps // 2) + (t >= 3 * steps // 4))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return Supervised(model, cross_entropy, batches, optimizer, schedule, seed=index)
