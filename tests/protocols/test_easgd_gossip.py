from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest
import torch

from tests.protocols.gossiping import still, until
from tether.actors import Group
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.easgd import Worker
from tether.protocols.easgd_gossip import Center
from tether.runners.world import World


def vector(x: float) -> torch.Tensor:
    return torch.tensor([x], dtype=torch.float64)


def centers(*xs: float, p: float = 1.0) -> list[Center]:
    made = [Center(Group(), vector(x), 0.25, len(xs), p) for x in xs]
    for one in made:
        one.peers = Group([other for other in made if other is not one])
    return made


async def push(one: Center, other: Center) -> None:
    await one.own.give(one.own.a / 2, one.n, other.push)


async def test_a_push_moves_the_other_center_by_its_weight_and_conserves_the_sum() -> None:
    one, other = centers(8.0, 0.0)

    await push(one, other)

    assert (one.own.a, other.own.a) == (0.25, 0.75)
    assert other.x.item() == pytest.approx(8 / 3)
    products = [Fraction(each.own.a) * Fraction(each.x.item()) for each in (one, other)]
    assert float(sum(products)) == pytest.approx(4, abs=2.0**-50)


async def test_within_a_star_it_is_a_center_of_easgd() -> None:
    one, _ = centers(0.0, 0.0)

    difference = await one.exchange(vector(8.0))

    assert (difference.item(), one.x.item(), one.n) == (2.0, 2.0, 1)


@pytest.mark.parametrize(("p", "due"), [(0.0, False), (1.0, True)])
async def test_after_an_exchange_a_push_is_due_with_probability_p(p: float, due: bool) -> None:
    one, _ = centers(0.0, 0.0, p=p)

    await one.exchange(vector(8.0))

    assert one.due.is_set() == due


async def test_its_life_pushes_what_is_due() -> None:
    one, other = centers(8.0, 0.0)
    life = asyncio.ensure_future(one.run())

    await one.exchange(vector(8.0))
    await until(lambda: bool(one.own.given))
    life.cancel()

    assert (one.own.a, other.own.a) == (0.25, 0.75)


async def test_a_poisoned_push_is_refused_before_anything_changes() -> None:
    one, _ = centers(8.0, 0.0)

    with pytest.raises(ValueError, match="the x of a push has 1 of 1 numbers NaN or infinite"):
        await one.push(vector(float("nan")), 0.25, 0)

    assert (one.x.item(), one.own.a) == (8.0, 0.5)


async def test_a_center_that_comes_back_alone_takes_the_first_x_it_is_sent() -> None:
    one, other = centers(8.0, 0.0)
    with alone():
        back = Center(Group([one]), vector(5.0), 0.25, 2, 1.0)
        back.load_state_dict(load(dump(other.state_dict())))

    await push(one, back)

    assert (back.x.item(), back.own.a) == (8.0, 0.25)


def start() -> torch.Tensor:
    return vector(8.0)


def learner() -> object:
    return still(8.0, 0.25)


async def test_two_stars_learn_one_thing() -> None:
    wiring = {
        "center": {
            "actor": Center, "count": 2, "restart": "permanent", "peers": "@center[others]",
            "x": {"make": start}, "alpha": 0.25, "M": "$count", "p": 0.5,
        },
        "worker": {
            "actor": Worker, "count": 4, "center": "@center[=]", "learner": {"make": learner},
            "tau": 1, "steps": 60,
        },
    }  # fmt: skip

    async with World(wiring) as world:
        await world.finished()
        xs = [(await each.pull()).item() for each in world.group(Center, "center")]

    assert xs == pytest.approx([0.0, 0.0], abs=0.1)
