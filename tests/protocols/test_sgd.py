from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch

from tests.protocols.conftest import build
from tests.protocols.test_downpour import half
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.evaluator import Source
from tether.protocols.learner import Supervised
from tether.protocols.momentum import Nesterov
from tether.protocols.sgd import SGD, Averaged

Regression = Callable[..., Supervised]
MAKERS: list[Callable[..., Any]] = [
    SGD,
    lambda learner, steps: SGD(learner, steps, delta=0.9),
    Averaged,
    lambda learner, steps: Averaged(learner, steps, a=0.001),
]


async def test_sgd_is_the_learners_own_step_bit_for_bit(regression: Regression) -> None:
    alone, learner = regression(), regression()

    await SGD(learner, steps=12).run()
    for _ in range(12):
        await alone.step()

    assert torch.equal(learner.x, alone.x)


async def test_msgd_is_nesterovs_momentum_bit_for_bit(regression: Regression) -> None:
    local, learner = Nesterov(regression(), 0.9), regression()

    await SGD(learner, steps=12, delta=0.9).run()
    for _ in range(12):
        await local.step(await local.gradient())

    assert torch.equal(learner.x, local.learner.x)


async def test_asgd_gives_the_mean_of_the_iterates() -> None:
    actor = Averaged(half(8.0), steps=4)

    await actor.run()

    assert actor.learner.x.tolist() == [0.5]
    assert (await actor.pull()).tolist() == [(8.0 + 4.0 + 2.0 + 1.0) / 4]


async def test_asgd_is_the_running_mean_and_trains_as_sgd(regression: Regression) -> None:
    alone, learner = regression(), regression()
    actor, seen = Averaged(learner, steps=30), []

    await actor.run()
    for _ in range(30):
        seen.append(alone.x.double())
        await alone.step()

    assert torch.equal(learner.x, alone.x)
    assert torch.allclose(actor.average.z.double(), torch.stack(seen).mean(0), atol=1e-6)


async def test_mvasgd_gives_the_moving_average_of_the_iterates() -> None:
    actor = Averaged(half(8.0), steps=3, a=0.5)

    await actor.run()

    assert (await actor.pull()).tolist() == [4.0]  # from 8 by 8, 4 and 2: 8, 6, 4


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("lone", [True, False])
async def test_it_goes_on_bit_for_bit_from_its_checkpoint_alone_or_not(
    make: Callable[..., Any], lone: bool
) -> None:
    undisturbed, first = make(build(dropout=0.5), 12), make(build(dropout=0.5), 5)
    resumed = make(build(dropout=0.5, seed=3), 12)
    await undisturbed.run()
    await first.run()

    state = load(dump(deepcopy(first.state_dict())))
    if lone:
        with alone():
            resumed.load_state_dict(state)
    else:
        resumed.load_state_dict(state)
    await resumed.run()

    assert dump(resumed.state_dict()) == dump(undisturbed.state_dict())


def test_what_is_learned_can_be_evaluated() -> None:
    assert issubclass(Averaged, Source)
