"""A small regression that the protocol tests learn."""

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from tether.protocols.learner import Supervised

settings.register_profile("no timing", deadline=None, max_examples=50)
settings.load_profile("no timing")
torch.set_num_threads(1)


class Batches:
    """Five batches an epoch, shuffled by a generator of its own."""

    def __init__(self, seed: int = 0) -> None:
        data = torch.Generator().manual_seed(99)
        self.inputs = torch.randn(20, 3, generator=data)
        self.targets = (self.inputs @ torch.randn(3, 2, generator=data)).tanh()
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in torch.split(torch.randperm(20, generator=self.generator), 4):
            yield self.inputs[chosen], self.targets[chosen]


def build(
    lr: float = 0.1,
    momentum: float = 0.0,
    dropout: float = 0.0,
    seed: int = 0,
    extra: nn.Module | None = None,
) -> Supervised:
    """Return a learner of 26 parameters that always begins at the same x."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        layers = [nn.Linear(3, 4), extra or nn.Tanh(), nn.Dropout(dropout), nn.Linear(4, 2)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    return Supervised(model, mse_loss, Batches(seed), optimizer, seed=seed)


@pytest.fixture
def regression() -> Callable[..., Supervised]:
    """Build a learner: `regression(lr, momentum, dropout, seed, extra)`."""
    return build
