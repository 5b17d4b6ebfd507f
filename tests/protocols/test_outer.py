from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.team import Team, squares
from tether.actors.state import dump, load
from tether.protocols.outer import Outer, averaging, block_momentum, nesterov

NUMBERS = st.lists(st.integers(-64, 64).map(float), min_size=1, max_size=4)


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize(
    ("outer", "seen"),
    [
        (averaging(), [6.0, 4.0]),  # −2, −2
        (Outer(lr=0.5), [7.0, 6.0]),  # −1, −1
        (block_momentum(1.0, 0.5), [6.0, 3.0]),  # u = 2, 3
        (nesterov(1.0, 0.5), [5.0, 1.5]),  # 2 + 0.5 · 2, 2 + 0.5 · 3
    ],
)
def test_two_steps_of_each_outer_optimizer(outer: Outer, seen: list[float]) -> None:
    c, found = vector(8.0), []

    for _ in range(2):
        outer.step(c, vector(2.0))
        found.append(c.item())

    assert found == seen


@given(NUMBERS, st.booleans())
def test_l8_without_momentum_it_is_plain_averaging_exactly(D: list[float], ahead: bool) -> None:
    c, plain = torch.ones(len(D)), torch.ones(len(D))

    Outer(1.0, 0.0, ahead=ahead).step(c, torch.tensor(D))
    averaging().step(plain, torch.tensor(D))

    assert torch.equal(c, plain)


async def test_l8_local_sgd_with_an_outer_momentum_of_zero_is_local_sgd() -> None:
    found = []
    for given_ in ({}, {"outer": Outer(1.0, 0.0, ahead=True)}):
        team = Team([squares([[k, 1.0]]) for k in (3.0, -1.0)], H=3, steps=9, given=given_)
        found.append((await team.run()).c)

    assert torch.equal(*found)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("mu", [0.0, 0.5, 0.9])
def test_it_makes_the_steps_of_torchs_sgd(mu: float, ahead: bool) -> None:
    if ahead and not mu:
        return
    c, theirs = torch.randn(9), torch.nn.Parameter(torch.zeros(9))
    theirs.data.copy_(c)
    outer = Outer(0.7, mu, ahead=ahead)
    torchs = torch.optim.SGD([theirs], lr=0.7, momentum=mu, nesterov=ahead)

    for _ in range(5):
        D = torch.randn(9)
        outer.step(c, D)
        theirs.grad = D.clone()
        torchs.step()

    assert torch.allclose(c, theirs.detach(), rtol=1e-6)


@pytest.mark.parametrize("make", [averaging, block_momentum, nesterov])
def test_it_goes_on_from_its_state_with_the_same_bits(make: Any) -> None:
    c, outer, other = torch.randn(5), make(), make()
    outer.step(c, torch.ones(5))
    again = c.clone()

    other.load_state_dict(load(dump(outer.state_dict())))
    for each, x in ((outer, c), (other, again)):
        each.step(x, torch.full((5,), 0.3))

    assert torch.equal(c, again)


@pytest.mark.parametrize("lr", [0.0, -1.0, 11.0, float("nan")])
def test_a_rate_out_of_bounds_is_refused(lr: float) -> None:
    with pytest.raises(ValueError, match="but an outer rate above 0, at most 10 is wanted"):
        Outer(lr)


@pytest.mark.parametrize("mu", [-0.1, 1.0, float("nan")])
def test_a_momentum_out_of_bounds_is_refused(mu: float) -> None:
    with pytest.raises(ValueError, match="but an outer momentum from 0 to below 1 is wanted"):
        Outer(1.0, mu)


@pytest.mark.parametrize(
    ("D", "why"),
    [
        (torch.tensor([float("nan"), 1.0]), "the difference D has 1 of 2 numbers NaN"),
        (torch.zeros(3), "the difference D does not fit"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(D: torch.Tensor, why: str) -> None:
    c, outer = torch.ones(2), nesterov()

    with pytest.raises(ValueError, match=why):
        outer.step(c, D)

    assert c.tolist() == [1.0, 1.0]
    assert outer.u is None
