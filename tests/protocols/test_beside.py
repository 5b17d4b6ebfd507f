from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.protocols.conftest import build
from tests.protocols.team import Team
from tether.protocols.beside import Beside, velocities
from tether.protocols.learner import Learner
from tether.protocols.quadratic import Quadratic


def normalized(seed: int, momentum: float = 0.9) -> Learner:
    return build(momentum=momentum, seed=seed, extra=nn.BatchNorm1d(4))


def running(learner: Learner) -> torch.Tensor:
    return torch.cat([b.flatten() for b in learner.model.buffers() if b.is_floating_point()])


def momenta(learner: Learner) -> torch.Tensor:
    return torch.cat([v.flatten() for v in velocities(learner)])


async def team(**policy: Any) -> Team:
    return await Team([normalized(k) for k in range(3)], H=2, steps=4, **policy).run()


def alike(vectors: list[torch.Tensor]) -> bool:
    return all(torch.equal(each, vectors[0]) for each in vectors)


async def test_momentum_and_buffers_are_local_unless_declared() -> None:
    found = await team()

    assert not alike([momenta(each.learner) for each in found.workers])
    assert not alike([running(each.learner) for each in found.workers])


async def test_momentum_that_is_averaged_is_the_same_at_all() -> None:
    found = await team(momentum="averaged")

    assert alike([momenta(each.learner) for each in found.workers])
    assert momenta(found.workers[0].learner).any()
    assert not alike([running(each.learner) for each in found.workers])


async def test_momentum_that_is_reset_is_zero_after_a_round() -> None:
    found = await team(momentum="reset")

    assert not any(momenta(each.learner).any() for each in found.workers)


async def test_running_statistics_travel_when_they_are_declared() -> None:
    found = await team(buffers="averaged")

    assert alike([running(each.learner) for each in found.workers])
    assert not alike([momenta(each.learner) for each in found.workers])


async def test_the_mean_is_that_of_what_was_taken() -> None:
    learners = [normalized(k) for k in range(2)]
    for learner in learners:
        await learner.step()
    sides = [Beside(learner, "averaged", "averaged") for learner in learners]
    taken = [side.take() for side in sides]
    assert taken[0] is not None
    assert taken[1] is not None

    mean = (taken[0] + taken[1]) / 2
    for side in sides:
        side.put(mean)

    assert torch.equal(torch.cat([momenta(learners[0]), running(learners[0])]), mean)
    assert [side.take() is not mean for side in sides] == [True, True]


async def test_the_moments_of_adamw_are_momenta_and_its_counter_is_not() -> None:
    learner = build()
    learner.optimizer = torch.optim.AdamW(learner.model.parameters())
    await learner.step()

    side = Beside(learner, "averaged", "local")

    taken = side.take()
    assert taken is not None
    assert taken.numel() == 2 * 26


def test_where_there_is_nothing_nothing_travels() -> None:
    learner = Quadratic(2, 0.1, 1.0, 0.0, 0.0, 1.0, seed=0)
    side = Beside(learner, "averaged", "averaged")

    side.put(None)

    assert side.take() is None


async def test_what_does_not_fit_is_refused() -> None:
    learner = normalized(0)
    await learner.step()

    with pytest.raises(ValueError, match="what travels beside x does not fit"):
        Beside(learner, "averaged", "local").put(torch.zeros(3))


@pytest.mark.parametrize(
    ("momentum", "buffers", "why"),
    [
        ("global", "local", "momentum is 'global', but one of local, averaged, reset is wanted"),
        ("local", "reset", "buffers is 'reset', but one of local, averaged is wanted"),
    ],
)
def test_a_policy_there_is_none_of_is_refused(momentum: Any, buffers: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Beside(build(), momentum, buffers)
