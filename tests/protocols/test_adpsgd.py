from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.protocols.gossiping import still
from tether.actors import ActorGone, Group
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.adpsgd import Peer
from tether.protocols.choice import Random
from tether.protocols.learner import Supervised
from tether.protocols.mixing import complete, pair, pair_on_complete
from tether.runners import virtual
from tether.runners.world import World

Regression = Callable[..., Supervised]


def peers(*xs: float, steps: int = 0, eta: float = 0.0, sigma: float = 0.0) -> list[Peer]:
    """Return peers on the complete graph, each at its x."""
    made = [Peer(Group(), still(x, eta, sigma), steps, Random(seed=i)) for i, x in enumerate(xs)]
    for one in made:
        one.peers = Group([other for other in made if other is not one])
        one.beginning.over = True  # they begin apart, which is what is to be seen
    return made


def sum_of(made: list[Peer]) -> Fraction:
    return sum((Fraction(each.learner.x.item()) for each in made), Fraction(0))


async def meet(one: Peer, other: Peer) -> None:
    await one.learner.apply(Tensor.sub_, await other.average(one.learner.x))


async def test_two_that_meet_are_half_way_both() -> None:
    one, other = peers(8.0, 2.0)

    await meet(one, other)

    assert (one.learner.x.item(), other.learner.x.item()) == (5.0, 5.0)


async def test_a_step_is_along_the_gradient_at_the_x_before_the_average() -> None:
    one, other = peers(8.0, 0.0, steps=1, eta=0.25)

    await one.run()

    assert one.learner.x.item() == 4.0 - 0.25 * 8.0
    assert other.learner.x.item() == 4.0


@given(
    xs=st.lists(st.integers(-64, 64).map(float), min_size=4, max_size=4),
    meetings=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=12),
)
async def test_the_sum_is_conserved_exactly_while_the_numbers_are_dyadic(
    xs: list[float], meetings: list[tuple[int, int]]
) -> None:
    made = peers(*xs)

    for i, hop in meetings:
        await meet(made[i], made[(i + hop) % 4])

    assert sum_of(made) == sum(map(Fraction, xs))


async def test_the_sum_is_conserved_when_all_meet_at_once_and_nobody_waits_for_ever() -> None:
    made = peers(8.0, -4.0, 2.0, 6.0, steps=10)

    async with asyncio.timeout(20):
        await asyncio.gather(*(each.run() for each in made))

    assert abs(sum_of(made) - 12) < Fraction(1, 2**40)
    assert sum(each.met for each in made) == 40


@given(st.lists(st.integers(-8, 8).map(float), min_size=4, max_size=4))
async def test_one_meeting_shrinks_any_disagreement_by_the_closed_form(xs: list[float]) -> None:
    found = 0.0
    for i in range(4):
        for j in complete(4)[i]:
            made = peers(*xs)
            await meet(made[i], made[j])
            x = torch.stack([each.learner.x for each in made])
            assert torch.equal(x, pair(4, i, j) @ torch.tensor(xs, dtype=torch.float64).view(4, 1))
            found += float((x - x.mean()).square().sum()) / 12

    start = torch.tensor(xs, dtype=torch.float64)
    wanted = float((start - start.mean()).square().sum()) * pair_on_complete(4)
    assert found == pytest.approx(wanted, abs=1e-9)


def test_r6_with_the_same_batches_all_are_one_sgd(regression: Regression) -> None:
    made = [Peer(Group(), regression(momentum=0.9), 12, Random(seed=i)) for i in range(2)]
    made[0].peers, made[1].peers = Group([made[1]]), Group([made[0]])
    reference = regression(momentum=0.9)

    async def main() -> None:
        for step in range(12):
            for each in made:
                each.steps = step + 1
            await asyncio.gather(*(each.run() for each in made))
            await reference.step()

    virtual.run(main())  # in step, whatever their threads would do

    for each in made:
        torch.testing.assert_close(each.learner.x, reference.x)


class Gone(Peer):
    """Has been given up, or dies while it is met."""

    async def average(self, x: Tensor) -> Tensor:
        raise ActorGone("peer/1 is gone: it was given up")


async def test_who_is_gone_is_passed_over() -> None:
    (one,) = peers(8.0, steps=2, eta=0.25)
    one.peers = Group([Gone(Group(), still(0.0), 0)])

    await one.run()

    assert one.t == 2
    assert one.learner.x.item() == 8.0 * 0.75**2


async def test_a_poisoned_x_is_refused_before_anything_changes() -> None:
    one, _ = peers(8.0, 0.0)

    with pytest.raises(ValueError, match=r"the elastic difference .* 1 of 1 numbers NaN"):
        await one.average(torch.tensor([torch.nan], dtype=torch.float64))

    assert (one.learner.x.item(), one.met) == (8.0, 0)


async def test_who_comes_back_alone_begins_at_a_peers_x() -> None:
    founder = peers(1.0)[0]
    with alone():
        back = Peer(Group([founder]), still(1.0), steps=0)
    founder.learner.x.fill_(8.0)

    await back.run()

    assert back.learner.x.item() == 8.0


@given(before=st.integers(0, 5), after=st.integers(0, 5))
async def test_peers_that_are_resumed_go_on_bit_for_bit(before: int, after: int) -> None:
    async def in_turn(made: list[Peer], steps: range) -> None:
        for step in steps:
            for each in made:
                each.steps = step + 1
                await each.run()

    undisturbed, first, resumed = (peers(8.0, 2.0, 4.0, eta=0.25, sigma=1.0) for _ in range(3))
    await in_turn(undisturbed, range(before + after))
    await in_turn(first, range(before))

    for one, other in zip(first, resumed, strict=True):
        other.load_state_dict(load(dump(one.state_dict())))
    await in_turn(resumed, range(before, before + after))

    assert [dump(each.state_dict()) for each in resumed] == [
        dump(each.state_dict()) for each in undisturbed
    ]


def at_eight() -> Supervised:
    return still(8.0, 0.25)  # type: ignore[return-value]


async def test_in_a_world_peers_meet_while_they_learn() -> None:
    table = {
        "actor": Peer, "count": 4, "peers": "@peer[others]", "learner": {"make": at_eight},
        "steps": 20,
    }  # fmt: skip

    async with World({"peer": table}) as world:
        await world.finished()
        xs = [(await each.pull()).item() for each in world.group(Peer, "peer")]

    assert xs == pytest.approx([8.0 * 0.75**20] * 4, abs=0.1)
