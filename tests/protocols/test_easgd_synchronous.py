"""All move at once: equations (5) and (6), by hand and in exact arithmetic."""

import asyncio
from fractions import Fraction
from itertools import pairwise, permutations
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.conftest import build
from tests.simulation.players import CENTER, CRASHES, NETWORK, TROUBLES, played, synchronous
from tether.actors import ActorGone, Group
from tether.actors.restoring import alone
from tether.protocols import easgd, easgd_gauss_seidel
from tether.protocols.easgd_synchronous import Center, Worker
from tether.protocols.quadratic import Quadratic

dyadic = st.integers(-(2**10), 2**10).map(lambda n: n / 2**6)
rates = st.integers(0, 8).map(lambda n: n / 32)


def at(x: float, eta: float = 0.5, h: float = 1.0) -> Worker:
    """Return a worker on h·x²/2 that has begun at x."""
    worker = Worker(Quadratic(1, eta, h, sigma=0.0, optimum=0.0, start=x, seed=0))
    worker.begun = True
    return worker


def center(x: float, alpha: float, workers: list[Any], steps: int = 1) -> Center:
    return Center(torch.tensor([x], dtype=torch.float64), alpha, Group(workers), steps)


async def test_a_step_worked_by_hand_takes_the_x_of_before_on_both_sides() -> None:
    one, two = at(8.0), at(-4.0)
    middle = center(4.0, 0.25, [one, two])

    await middle.run()

    assert one.learner.x.tolist() == [8.0 - 0.5 * 8.0 - 0.25 * (8.0 - 4.0)]
    assert two.learner.x.tolist() == [-4.0 + 0.5 * 4.0 - 0.25 * (-4.0 - 4.0)]
    assert middle.learner.x.tolist() == [4.0 + 0.25 * (8.0 - 4.0) + 0.25 * (-4.0 - 4.0)]
    assert (one.t, two.t, middle.t) == (1, 1, 1)


@given(dyadic, st.lists(dyadic, min_size=1, max_size=4), rates)
async def test_the_center_is_the_mean_of_equation_6_and_stays_in_the_hull_p3(
    x: float, xs: list[float], alpha: float
) -> None:
    middle = center(x, alpha, [at(each) for each in xs])

    await middle.run()

    beta = len(xs) * Fraction(alpha)
    mean = sum(map(Fraction, xs)) / len(xs)
    assert Fraction(middle.learner.x.item()) == (1 - beta) * Fraction(x) + beta * mean
    assert min(x, *xs) <= middle.learner.x.item() <= max(x, *xs)


@given(dyadic, st.lists(dyadic, min_size=1, max_size=4), rates)
async def test_p1_the_sum_is_conserved_when_nothing_is_learned(
    x: float, xs: list[float], alpha: float
) -> None:
    workers = [at(each, eta=0.0) for each in xs]
    middle = center(x, alpha, workers, steps=3)

    await middle.run()

    assert sum(w.learner.x.item() for w in workers) + middle.learner.x.item() == x + sum(xs)


@given(dyadic, st.lists(dyadic, min_size=3, max_size=3), rates)
async def test_p4_the_order_of_the_workers_changes_nothing(
    x: float, xs: list[float], alpha: float
) -> None:
    found = set()
    for order in permutations(range(3)):
        workers = [at(xs[i]) for i in order]
        middle = center(x, alpha, workers, steps=2)
        await middle.run()
        by_place = dict(zip(order, workers, strict=True))
        found.add((*(by_place[i].learner.x.item() for i in range(3)), middle.learner.x.item()))

    assert len(found) == 1


async def test_p5_all_at_one_point_without_a_gradient_stay_there() -> None:
    workers = [at(3.0, h=0.0) for _ in range(3)]
    middle = center(3.0, 0.25, workers, steps=5)

    await middle.run()

    assert [w.learner.x.item() for w in [*workers, middle]] == [3.0] * 4


async def test_one_worker_in_step_is_the_asynchronous_one_bit_for_bit() -> None:
    learner, other = build(momentum=0.9), build(momentum=0.9)
    start = torch.full((26,), 0.1)
    middle = Center(start, 0.3, Group([Worker(learner)]), steps=12)
    asynchronous = easgd.Center(start, 0.3)

    await middle.run()
    await easgd.Worker(asynchronous, other, tau=1, steps=12).run()

    assert torch.equal(learner.x, other.x)
    assert torch.equal(middle.learner.x, asynchronous.x)


async def test_r2_with_alpha_zero_workers_are_independent_and_the_center_is_frozen() -> None:
    alone_, learner = build(), build()
    middle = Center(learner.x, 0.0, Group([Worker(learner), Worker(build(seed=1))]), steps=8)
    start = middle.learner.x.clone()

    await middle.run()
    for _ in range(8):
        await alone_.step()

    assert torch.equal(learner.x, alone_.x)
    assert torch.equal(middle.learner.x, start)


async def test_whoever_is_new_begins_at_the_centers_x() -> None:
    worker = at(100.0)
    worker.begun = False

    await center(4.0, 0.25, [worker]).run()

    assert worker.learner.x.tolist() == [2.0]


async def test_who_dies_is_left_out_of_the_step_and_the_others_go_on() -> None:
    class Dead(Worker):
        async def step(self, center: torch.Tensor, alpha: float) -> torch.Tensor:
            raise ActorGone("worker/1 was killed")

    one = at(8.0)
    middle = center(4.0, 0.25, [one, Dead(at(0.0).learner)], steps=1)

    await middle.run()

    assert middle.learner.x.tolist() == [5.0]
    assert middle.t == 1


async def test_a_step_that_nobody_lives_to_make_is_none() -> None:
    class Dead(Worker):
        async def step(self, center: torch.Tensor, alpha: float) -> torch.Tensor:
            raise ActorGone("worker/0 was killed")

    middle = center(4.0, 0.25, [Dead(at(0.0).learner)])

    with pytest.raises(ActorGone, match="worker/0 was killed"):
        await middle.run()

    assert middle.t == 0


async def test_a_worker_that_is_not_finite_is_told_and_the_center_is_untouched() -> None:
    wrong = at(1.0)
    wrong.learner.x.fill_(torch.inf)
    middle = center(4.0, 0.25, [at(8.0), wrong])

    with pytest.raises(ValueError, match=r"the elastic difference .* 1 of 1 numbers NaN"):
        await middle.run()

    assert middle.learner.x.tolist() == [4.0]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_all_go_on_bit_for_bit_as_if_never_interrupted() -> None:
    def made(seed: int, steps: int) -> tuple[Center, list[Worker]]:
        workers = [Worker(build(dropout=0.5, seed=seed + i)) for i in range(2)]
        return Center(torch.zeros(26), 0.3, Group(workers), steps), workers

    whole, all_through = made(0, 9)
    await whole.run()
    first, workers = made(0, 4)
    await first.run()
    second, others = made(7, 9)

    second.load_state_dict(first.state_dict())
    for worker, other in zip(workers, others, strict=True):
        other.load_state_dict(worker.state_dict())
    await second.run()

    assert torch.equal(second.learner.x, whole.learner.x)
    for worker, other in zip(all_through, others, strict=True):
        assert torch.equal(other.learner.x, worker.learner.x)


async def test_a_worker_that_comes_back_alone_begins_at_the_centers_x() -> None:
    first, second = at(8.0), Worker(at(0.0).learner)

    with alone():
        second.load_state_dict(first.state_dict())
    x = await second.join(torch.tensor([4.0], dtype=torch.float64))

    assert x.tolist() == [4.0]


@pytest.mark.parametrize("seed", range(3))
def test_a_worker_that_dies_is_waited_for_and_hangs_nobody(seed: int) -> None:
    crashes = {**TROUBLES, "crash": [{**CRASHES["crash"][0], "actor": "worker"}]}
    tables = synchronous(0.2, 4, 60, 0.1, n=8, sigma=0.5, seed=seed)
    tables["run"]["checkpoint"], tables["worker"]["max_restarts"] = 0.3, 20

    middle, simulation = played(tables, NETWORK, crashes)

    assert middle.t == 60
    assert {restart.actor for restart in simulation.tally.restarts} - {CENTER}
    assert simulation.broken == {}


def test_a_worker_that_is_given_up_is_gone_on_without() -> None:
    tables = synchronous(0.2, 4, 60, 0.1, n=8, sigma=0.5)
    tables["worker"]["restart"] = "temporary"

    middle, simulation = played(tables, NETWORK, {"crash": [{"at": "0.5s", "actor": "worker/2"}]})

    assert middle.t == 60
    assert simulation.broken == {}


STALLED = {"pause": [{"actor": "worker/1", "at": "0.2s", "for": "0.6s"}]}


@pytest.mark.parametrize("center", [None, easgd_gauss_seidel.Center])
def test_a_worker_that_is_stalled_is_waited_for_no_longer_than_patience_lasts(
    center: type | None,
) -> None:
    tables = synchronous(0.2, 4, 80, 0.1, n=8, sigma=0.5)
    tables["center"]["patience"] = 0.1
    if center is not None:
        tables["center"]["actor"] = center

    middle, simulation = played(tables, NETWORK, STALLED)

    steps = [work.begins for work in simulation.work if work.actor == "worker/0"]
    gap = max(later - earlier for earlier, later in pairwise(steps))
    assert middle.t == 80
    assert simulation.tally.last["worker/0"].step == 80
    assert (simulation.tally.last["worker/1"].step or 0) < 80
    assert gap < 0.2
    assert middle.patience.lates >= (center is None)
    assert simulation.broken == {}
    assert simulation.declared.leaks == []
