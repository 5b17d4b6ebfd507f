import asyncio
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tether.actors import ActorGone
from tether.protocols.easgd import Center
from tether.protocols.evaluator import Evaluator, Source
from tether.protocols.learner import Supervised

Regression = Callable[..., Supervised]


class Counting(Center):
    """Tells when it has been pulled."""

    def __init__(self, x: Tensor) -> None:
        super().__init__(x, alpha=0.5)
        self.pulled = asyncio.Event()
        self.pulls = 0

    async def pull(self) -> Tensor:
        self.pulls += 1
        self.pulled.set()
        return await super().pull()


class Gone(Counting):
    """Dies after its first answer."""

    async def pull(self) -> Tensor:
        if self.pulls:
            raise ActorGone("center/0 is gone")
        return await super().pull()


def classifier() -> Supervised:
    model = torch.nn.Linear(2, 2, bias=False)
    loader = [(torch.eye(2), torch.tensor([0, 1]))]
    return Supervised(model, torch.nn.functional.cross_entropy, loader)


async def test_it_measures_the_centers_parameters() -> None:
    evaluator = Evaluator(Counting(torch.tensor([9.0, 0, 0, 9])), classifier(), every=1)

    measured = await evaluator.measure()

    assert measured["accuracy"] == 1.0
    assert measured["loss"] == pytest.approx(0.000123, abs=1e-6)


@pytest.mark.parametrize(("kind", "pulls"), [(Counting, 2), (Gone, 1)])
async def test_cancelled_it_measures_a_last_time_if_it_can(
    kind: type[Counting], pulls: int
) -> None:
    center = kind(torch.zeros(4))
    task = asyncio.create_task(Evaluator(center, classifier(), every=1000).run())
    await center.pulled.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert center.pulls == pulls


def test_whoever_gives_parameters_away_can_be_measured() -> None:
    assert issubclass(Center, Source)
