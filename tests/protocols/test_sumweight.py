from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.gossiping import merge as merge_all
from tests.protocols.gossiping import peers, still
from tether.actors import ActorGone
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.overlap import Waiting
from tether.protocols.sumweight import LIGHTEST, Weighed, Weight, merge

WEIGHTS = st.floats(2.0**-40, 1.0)
NUMBERS = st.floats(-(2.0**20), 2.0**20)


def weight(a: float = 0.5, x: float = 1.0) -> Weight:
    return Weight(a, still(x), Waiting())


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_two_vectors_are_averaged_by_their_weights() -> None:
    x = vector(8.0, 0.0)

    merge(x, 0.25, vector(0.0, 4.0), 0.75)

    assert x.tolist() == [2.0, 3.0]


@given(x=NUMBERS, x_j=NUMBERS, a_j=WEIGHTS)
def test_g10_who_has_no_weight_becomes_what_it_is_sent_to_the_bit(
    x: float, x_j: float, a_j: float
) -> None:
    mine, other = torch.tensor([x]), torch.tensor([x_j])

    merge(mine, 0.0, other, a_j)

    assert torch.equal(mine, other)


@given(x=NUMBERS, x_j=NUMBERS, a=WEIGHTS, a_j=WEIGHTS)
def test_g5_an_average_is_between_the_two(x: float, x_j: float, a: float, a_j: float) -> None:
    mine, other = torch.tensor([x]), torch.tensor([x_j])
    least, most = torch.minimum(mine, other), torch.maximum(mine, other)

    merge(mine, a, other, a_j)

    assert bool((least <= mine).all())
    assert bool((mine <= most).all())


def test_a_parcel_is_a_copy_that_its_sender_cannot_change() -> None:
    own, x = weight(), vector(3.0)

    own.put(x, 0.25, 7)
    x.fill_(9.0)

    assert [(float(x_j), a_j, t_j) for x_j, a_j, t_j in own.pop()] == [(3.0, 0.25, 7)]
    assert own.queue == []


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_a_parcel_that_is_not_finite_is_refused_and_nothing_has_changed(wrong: float) -> None:
    own = weight()

    with pytest.raises(ValueError, match="the x of a push has 1 of 1 numbers NaN or infinite"):
        own.put(vector(wrong), 0.25, 0)

    assert (own.a, own.queue) == (0.5, [])


def test_a_parcel_of_another_size_is_refused() -> None:
    own = weight()

    with pytest.raises(ValueError, match=r"the x of a push does not fit: .*shape \(2,\)"):
        own.put(vector(1.0, 2.0), 0.25, 0)


@pytest.mark.parametrize("a", [0.0, -0.5, math.nan, math.inf])
def test_a_parcel_without_a_weight_is_refused(a: float) -> None:
    own = weight()

    with pytest.raises(ValueError, match=r"a push came with the weight .*, but one above 0 is"):
        own.put(vector(1.0), a, 0)

    assert own.queue == []


@pytest.mark.parametrize("a", [0.0, -1.0, math.nan])
def test_nobody_begins_without_a_weight(a: float) -> None:
    with pytest.raises(ValueError, match=r"a is .*, but a weight above 0 is wanted to begin with"):
        weight(a)


async def test_what_is_given_is_ones_own_no_more() -> None:
    own, seen = weight(), list[tuple[float, float, int]]()

    async def take(x: torch.Tensor, a: float, t: int) -> None:
        seen.append((float(x), a, t))

    await own.give(0.125, 3, take)

    assert (own.a, own.given) == (0.375, 1)
    assert seen == [(1.0, 0.125, 3)]


async def test_what_reaches_nobody_is_ones_own_again() -> None:
    own = weight()

    async def gone(x: torch.Tensor, a: float, t: int) -> None:
        raise ActorGone("peer/1 is gone: it has left")

    async def broken(x: torch.Tensor, a: float, t: int) -> None:
        raise ValueError("not this one")

    await own.give(0.25, 0, gone)
    with pytest.raises(ValueError, match="not this one"):
        await own.give(0.25, 0, broken)

    assert (own.a, own.given) == (0.5, 0)


async def test_an_x_that_is_not_finite_is_not_given_away() -> None:
    own = weight(x=math.nan)

    async def take(x: torch.Tensor, a: float, t: int) -> None:
        raise AssertionError("it was given away")

    with pytest.raises(ValueError, match="x has 1 of 1 numbers NaN or infinite"):
        await own.give(0.25, 0, take)

    assert own.a == 0.5


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2), st.booleans()), max_size=40))
async def test_g4_a_weight_is_above_0_whatever_is_pushed_and_merged(
    events: list[tuple[int, int, bool]],
) -> None:
    made = peers(1.0, 2.0, 3.0, steps=1)

    for i, hop, merges in events:
        other = made[(i + hop) % 3]
        await made[i].own.give(made[i].own.a / 2, 0, other.push)
        if merges:
            await merge_all(other)
        held = [each.own.a for each in made] + [a for each in made for _, a, _ in each.own.queue]
        assert min(held) > 0
        assert math.fsum(held) == pytest.approx(1.0, abs=1e-12)


async def test_g4_a_weight_that_is_halved_for_ever_is_kept_before_it_is_nothing() -> None:
    one, other = peers(1.0, 2.0)

    for _ in range(600):
        await one.own.give(one.own.a / 2, 0, other.push)

    assert LIGHTEST <= one.own.a < 2 * LIGHTEST
    assert one.own.given == 499
    assert one.own.a + math.fsum(a for _, a, _ in other.own.queue) + other.own.a == 1.0


def test_who_comes_into_a_run_that_goes_on_has_no_weight() -> None:
    with alone():
        own = weight()

    assert own.a == 0.0


def test_a_weight_and_its_queue_go_on_with_all_others() -> None:
    own, other = weight(), weight(0.25)
    own.put(vector(3.0), 0.125, 7)

    other.load_state_dict(load(dump(own.state_dict())))

    assert other.a == 0.5
    assert [(float(x), a, t) for x, a, t in other.queue] == [(3.0, 0.125, 7)]


def test_who_comes_back_alone_has_lost_its_weight_and_its_queue() -> None:
    own = weight()
    own.put(vector(3.0), 0.125, 7)

    with alone():
        other = weight()
        other.load_state_dict(load(dump(own.state_dict())))

    assert (other.a, other.queue) == (0.0, [])


def test_what_is_merged_is_for_each_protocol_to_say() -> None:
    with pytest.raises(TypeError, match="abstract class Weighed"):
        Weighed()  # type: ignore[abstract]
