from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from tether.actors.restoring import alone
from tether.protocols.learner import Learner, Supervised
from tether.protocols.momentum import Nesterov

Regression = Callable[..., Supervised]


def parabola(eta: float, start: float) -> Learner:
    """Return a learner of x²."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, start)

    def f(model: nn.Module, one: Tensor) -> Tensor:
        value: Tensor = model(one) ** 2
        return value.sum()

    return Learner(model, f, [torch.ones(1)], torch.optim.SGD(model.parameters(), lr=eta))


async def test_two_steps_worked_by_hand() -> None:
    local = Nesterov(parabola(eta=0.25, start=4.0), delta=0.5)

    found = []
    for _ in range(2):
        g = await local.gradient()
        found.append(g.item())
        await local.step(g)
        found.append(local.learner.x.item())

    # g(4) = 8, v = −2, x = 2; then g(2 − 1) = 2, v = −1 − 0.5, x = 0.5
    assert found == [8.0, 2.0, 2.0, 0.5]


async def test_without_momentum_it_is_the_learners_own_step(regression: Regression) -> None:
    alone, learner = regression(), regression()
    local = Nesterov(learner, delta=0.0)

    for _ in range(6):
        await local.step(await local.gradient())
        await alone.step()

    assert torch.equal(learner.x, alone.x)


async def test_a_velocity_of_delta_zero_changes_no_bit(regression: Regression) -> None:
    one, other = Nesterov(regression(), 0.0), Nesterov(regression(), 0.0)
    other.v = torch.zeros_like(other.learner.x)

    for _ in range(6):
        for local in (one, other):
            await local.step(await local.gradient())

    assert torch.equal(one.learner.x, other.learner.x)


async def test_it_resumes_bit_for_bit(regression: Regression) -> None:
    one, other = Nesterov(regression(), 0.5), Nesterov(regression(seed=1), 0.5)
    for _ in range(7):
        await one.step(await one.gradient())

    other.load_state_dict(deepcopy(one.state_dict()))

    for _ in range(7):
        for local in (one, other):
            await local.step(await local.gradient())
    assert torch.equal(one.learner.x, other.learner.x)


async def test_alone_it_has_its_velocity_and_begins_at_another_x(regression: Regression) -> None:
    one, other = Nesterov(regression(), 0.5), Nesterov(regression(seed=1), 0.5)
    for _ in range(3):
        await one.step(await one.gradient())

    with alone():
        other.load_state_dict(deepcopy(one.state_dict()))

    assert not other.learner.resumed
    assert one.v is not None
    assert other.v is not None
    assert torch.equal(other.v, one.v)


@pytest.mark.parametrize(("before", "now"), [(0.0, 0.5), (0.5, 0.0)])
async def test_momentum_that_is_new_begins_at_zero(
    regression: Regression, before: float, now: float
) -> None:
    one, other = Nesterov(regression(), before), Nesterov(regression(), now)
    await one.step(await one.gradient())

    other.load_state_dict(one.state_dict())

    assert torch.equal(other.learner.x, one.learner.x)
    assert other.v is None or not other.v.any()


def test_a_velocity_of_another_model_is_refused(regression: Regression) -> None:
    local = Nesterov(regression(), 0.5)

    with pytest.raises(ValueError, match=r"v: a checkpoint of shape \(1,\), float32 came"):
        local.load_state_dict(local.state_dict() | {"v": torch.zeros(1)})


@pytest.mark.parametrize("delta", [-0.5, 1.0])
def test_a_momentum_outside_0_to_1_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match=r"delta is .*, but a momentum from 0 to below 1"):
        Nesterov(parabola(1.0, 1.0), delta)
