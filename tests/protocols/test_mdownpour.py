from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.protocols.test_downpour import at, half
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.mdownpour import Center, Worker
from tether.protocols.momentum import Nesterov


async def test_two_pushes_worked_by_hand() -> None:
    center = Center(at(8.0), eta=0.5, delta=0.5)

    found = []
    for g in (8.0, 4.0):
        await center.push(at(g))
        found.append((center.v.item(), center.x.item()))

    # v = −4, x̃ = 8 − 4 − 2 = 2; then v = −2 − 2 = −4, x̃ = 2 − 2 − 2
    assert found == [(-4.0, 2.0), (-4.0, -2.0)]


@given(
    delta=st.sampled_from([0.0, 0.5, 0.75]),
    sigma=st.sampled_from([0.0, 0.5]),
    steps=st.integers(0, 6),
)
async def test_with_one_worker_it_is_nesterovs_momentum_seen_from_ahead(
    delta: float, sigma: float, steps: int
) -> None:
    center = Center(at(8.0), eta=0.5, delta=delta)
    local = Nesterov(half(8.0, sigma), delta)

    await Worker(center, half(8.0, sigma), steps).run()
    for _ in range(steps):
        await local.step(await local.gradient())

    v = 0.0 if local.v is None else -0.5 * local.v.item()  # kept in units of −η there
    assert center.x.item() == local.learner.x.item() + delta * v
    assert center.v.item() == v or delta == 0


async def test_the_line_as_printed_would_leave_out_the_gradient() -> None:
    center = Center(at(8.0), eta=0.5, delta=0.0)

    await center.push(at(8.0))

    assert center.x.tolist() == [4.0]  # x̃ + δv would be 8 for ever


async def test_behind_are_the_gradients_of_others_since_its_x_was_taken() -> None:
    found: list[int] = []

    class Busy(Center):
        """Gets a gradient from another one before each."""

        async def push(self, g: Tensor) -> int:
            await super().push(g)
            found.append(await super().push(g) - self.dated_at)
            return self.t - 1

        async def dated(self) -> tuple[int, Tensor]:
            self.dated_at = self.t
            return await super().dated()

    await Worker(Busy(at(8.0), eta=0.25, delta=0.0), half(8.0), steps=3).run()

    assert found == [1, 1, 1]


async def test_a_worker_takes_the_centers_x_at_each_step_also_when_it_comes_back() -> None:
    center = Center(at(8.0), eta=0.5, delta=0.0)
    first = Worker(center, half(0.0), steps=2)
    await first.run()
    second = Worker(center, half(0.0), steps=3)

    with alone():
        second.load_state_dict(deepcopy(first.state_dict()))
    await second.run()

    assert second.t == 3
    assert center.x.tolist() == [1.0]


async def test_both_go_on_bit_for_bit_as_if_never_interrupted() -> None:
    def pair(steps: int, seed: int) -> tuple[Any, Any]:
        center = Center(at(8.0), eta=0.3, delta=0.9)
        return center, Worker(center, half(8.0, sigma=0.7, seed=seed), steps)

    undisturbed, first, resumed = pair(9, 0), pair(4, 0), pair(9, 1)
    await undisturbed[1].run()
    await first[1].run()

    for mine, saved in zip(resumed, first, strict=True):
        mine.load_state_dict(load(dump(saved.state_dict())))
    await resumed[1].run()

    for mine, saved in zip(resumed, undisturbed, strict=True):
        assert dump(mine.state_dict()) == dump(saved.state_dict())


@pytest.mark.parametrize(
    ("g", "told"),
    [
        (at(float("inf")), "g has 1 of 1 numbers NaN or infinite"),
        (torch.zeros(2, dtype=torch.float64), "g does not fit"),
    ],
)
async def test_a_gradient_that_cannot_be_used_changes_nothing(g: Tensor, told: str) -> None:
    center = Center(at(8.0), eta=0.5, delta=0.5)
    await center.push(at(8.0))

    with pytest.raises(ValueError, match=told):
        await center.push(g)

    assert (center.x.item(), center.v.item(), center.t) == (2.0, -4.0, 1)


@pytest.mark.parametrize(
    ("eta", "delta"), [(0.0, 0.5), (-1.0, 0.5), (float("nan"), 0.5), (0.1, -0.5), (0.1, 1.0)]
)
def test_rates_that_are_none_are_refused(eta: float, delta: float) -> None:
    with pytest.raises(ValueError, match="eta above 0 and a momentum from 0 to below 1 are wanted"):
        Center(at(0.0), eta, delta)
