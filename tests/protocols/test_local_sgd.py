from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.protocols.conftest import build
from tests.protocols.team import Team, squares
from tether.actors.restoring import alone
from tether.protocols.aggregator import Aggregator
from tether.protocols.learner import Learner, Supervised
from tether.protocols.local_sgd import Worker
from tether.protocols.rounds import Told
from tether.protocols.schedule import constant, post_local
from tether.runners import virtual

Regression = Callable[..., Supervised]
INTEGERS = st.integers(-8, 8).map(float)
FEW = settings(max_examples=10)


def batches(k: int, steps: int) -> list[list[float]]:
    """Return integers for worker k, others for each one and step."""
    return [[float((7 * k + 3 * t) % 5 - 2), float((5 * k + t) % 7 - 3)] for t in range(steps)]


def dyadic(k: int, steps: int = 12, eta: float = 0.125, **options: Any) -> Learner:
    return squares(batches(k, steps), start=[1.0, -2.0], eta=eta, **options)


async def test_two_workers_go_on_from_the_mean_of_what_two_steps_each_made_of_them() -> None:
    team = Team([squares([[4.0]], [0.0], eta=0.5), squares([[-8.0]], [0.0], eta=0.5)], H=2, steps=2)

    await team.run()

    assert team.c.tolist() == [-1.5]  # w: 0 → 2 → 3, and 0 → −4 → −6
    assert [x.tolist() for x in team.xs] == [[-1.5], [-1.5]]


@FEW
@given(H=st.integers(1, 5), K=st.integers(1, 5), steps=st.integers(1, 9))
async def test_l1_after_a_sync_all_have_the_same_bits(H: int, K: int, steps: int) -> None:
    team = Team([build(seed=k) for k in range(K)], H, steps)

    await team.run()

    assert all(torch.equal(x, team.c) for x in team.xs)


async def test_l1_the_order_in_which_workers_come_changes_no_bit() -> None:
    found = []
    for order in ([0, 1, 2], [2, 0, 1]):
        team = Team([build(seed=k) for k in range(3)], H=4, steps=4)
        team.aggregator.workers = type(team.aggregator.workers)(team.workers)
        await asyncio.gather(*(team.workers[k].run() for k in order))
        found.append(team.c)

    assert torch.equal(*found)


@FEW
@given(
    start=st.lists(INTEGERS, min_size=1, max_size=3),
    data=st.data(),
    K=st.sampled_from([1, 2, 4]),
    H=st.integers(1, 4),
)
async def test_l3_the_mean_moves_by_the_mean_gradients_of_the_round(
    start: list[float], data: st.DataObject, K: int, H: int
) -> None:
    row = st.lists(INTEGERS, min_size=len(start), max_size=len(start))
    each = data.draw(st.lists(st.lists(row, min_size=H, max_size=H), min_size=K, max_size=K))
    team = Team([squares(own, start) for own in each], H=H, steps=H)
    seen: list[Tensor] = []
    for worker in team.workers:
        worker.learner.step = noting(worker.learner, seen)

    await team.run()

    total = torch.stack(seen).sum(0) / K
    assert torch.equal(team.c, torch.tensor(start, dtype=torch.float64) - 0.125 * total)


def noting(learner: Learner, seen: list[Tensor]) -> Any:
    step = learner.step

    async def noted(gradient: Tensor) -> None:
        seen.append(gradient.clone())
        await step(gradient)

    return noted


@pytest.mark.parametrize(
    ("H", "steps", "rounds"),
    [(1, 7, 7), (3, 9, 3), (3, 10, 4), (100, 10, 1),
     (post_local(4, 5), 5, 5), (post_local(4, 5), 15, 5 + 3), (post_local(4, 5), 13, 5 + 2)],
)  # fmt: skip
async def test_l4_there_are_so_many_rounds(H: Any, steps: int, rounds: int) -> None:
    team = Team([dyadic(k) for k in range(2)], H, steps)

    await team.run()

    assert team.aggregator.rounds == rounds


async def test_averaging_follows_the_step_after_which_h_divides_the_clock() -> None:
    team = Team([dyadic(k) for k in range(2)], H=4, steps=10)
    seen = []
    average = team.workers[0]._average

    async def noted() -> None:
        seen.append(team.workers[0].t)
        await average()

    team.workers[0]._average = noted

    await team.run()

    assert seen == [4, 8, 10]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
async def test_r1_with_a_period_beyond_its_end_a_run_is_independent_sgd_until_then(
    momentum: float, regression: Regression
) -> None:
    team = Team([regression(momentum=momentum, seed=k) for k in range(3)], H=100, steps=12)
    lonely = [regression(momentum=momentum, seed=k) for k in range(3)]
    for worker in team.workers:
        worker._average = nothing

    await team.run()
    for learner in lonely:
        for _ in range(12):
            await learner.step()

    assert all(torch.equal(a, b.x) for a, b in zip(team.xs, lonely, strict=True))


async def nothing() -> None:
    """Stand for the round at the end of a run."""


@pytest.mark.parametrize("H", [1, 3])
async def test_r6_workers_fed_the_same_batches_are_single_sgd(H: int) -> None:
    team = Team([dyadic(0) for _ in range(4)], H, steps=7)
    single = dyadic(0)

    await team.run()
    for _ in range(7):
        await single.step()

    assert torch.equal(team.c, single.x)


@pytest.mark.parametrize(
    "options",
    [{}, {"momentum": 0.5}, {"momentum": 0.5, "nesterov": True}, {"weight_decay": 0.25}],
    ids=["SGD", "heavy ball", "Nesterov", "weight decay"],
)
async def test_r9_with_dyadic_numbers_h_1_is_synchronous_sgd_exactly(
    options: dict[str, Any],
) -> None:
    team = Team([dyadic(k, **options) for k in range(4)], H=1, steps=6)
    synchronous = dyadic(0, **options)

    await team.run()
    for t in range(6):
        every = [torch.tensor(batches(k, 6)[t], dtype=torch.float64) for k in range(4)]
        g = sum(synchronous.x - batch for batch in every) / 4
        await synchronous.step(torch.as_tensor(g))

    assert torch.equal(team.c, synchronous.x)


@FEW
@given(eta=st.floats(0.001, 0.3), K=st.integers(1, 5), momentum=st.sampled_from([0.0, 0.9]))
async def test_r9_with_any_learning_rate_h_1_is_synchronous_sgd_but_for_roundings(
    eta: float, K: int, momentum: float
) -> None:
    team = Team([build(lr=eta, momentum=momentum, seed=k) for k in range(K)], H=1, steps=6)
    readers = [build(seed=k) for k in range(K)]
    synchronous = build(lr=eta, momentum=momentum)

    await team.run()
    for _ in range(6):
        gs = [(await reader.gradient(synchronous.x)).clone() for reader in readers]
        await synchronous.step(torch.stack(gs).mean(0))

    assert torch.allclose(team.c, synchronous.x, rtol=1e-5, atol=1e-6)


@FEW
@given(
    H=st.integers(1, 5),
    momentum=st.sampled_from([0.0, 0.9]),
    policy=st.sampled_from(["local", "averaged", "reset"]),
    buffers=st.sampled_from(["local", "averaged"]),
    before=st.integers(0, 11),
    after=st.integers(0, 7),
)
async def test_l6_a_team_goes_on_bit_for_bit_from_any_local_step(
    H: int, momentum: float, policy: str, buffers: str, before: int, after: int
) -> None:
    def team(seed: int) -> Team:
        learners = [
            build(momentum=momentum, dropout=0.5, seed=seed + k, extra=nn.BatchNorm1d(4))
            for k in range(2)
        ]
        return Team(learners, H, before + after, momentum=policy, buffers=buffers)

    undisturbed, first, resumed = team(0), team(0), team(5)
    await undisturbed.run()
    await stopped(first, before)

    await resumed.restored(first.saved()).run()

    assert torch.equal(resumed.c, undisturbed.c)
    assert resumed.saved() == undisturbed.saved()


async def stopped(team: Team, at: int) -> None:
    """Let a team run until all have made some steps, wherever in a round that is."""
    runs = [asyncio.create_task(until(worker, at)) for worker in team.workers]
    await asyncio.gather(*runs)


class Stopped(Exception):
    """A worker is not to go on."""


async def until(worker: Worker, at: int) -> None:
    """Run a worker to the report of a step."""

    step, made = worker.learner.gradient, 0

    async def counted(*args: Any) -> Tensor:
        nonlocal made
        if made == at:
            raise Stopped
        made += 1
        return await step(*args)

    worker.learner.gradient = counted  # type: ignore[method-assign,assignment]
    with suppress(Stopped):
        await worker.run()


@pytest.mark.parametrize("K", [1, 2, 3, 5])
async def test_a_run_is_resumed_with_another_number_of_workers(K: int) -> None:
    first = await Team([dyadic(k) for k in range(3)], H=4, steps=8).run()
    team = Team([dyadic(k, steps=20) for k in range(K)], H=4, steps=16)

    await team.restored(first.saved()).run()

    assert team.aggregator.t == 16
    assert team.aggregator.rounds == 4
    assert all(torch.equal(x, team.c) for x in team.xs)


async def test_who_comes_back_alone_goes_on_from_c_at_the_clock_of_the_round() -> None:
    team = await Team([dyadic(k) for k in range(2)], H=4, steps=8).run()
    again = Worker(team.aggregator, team.workers[0], dyadic(1), steps=8)

    with alone():
        again.load_state_dict(team.workers[1].state_dict() | {"t": 5})
    await again.run()

    assert again.t == 8
    assert torch.equal(again.learner.x, team.c)


def test_one_who_is_away_is_named_and_the_others_go_on() -> None:
    team = Team([dyadic(k) for k in range(3)], H=2, steps=4, patience=0.01)
    pair = Team([dyadic(k) for k in range(2)], H=2, steps=4)

    async def main() -> list[Any]:
        await pair.run()
        await asyncio.gather(*(worker.run() for worker in team.workers[:2]))
        return [*await team.aggregator.absent()]

    absent: list[Any] = virtual.run(main())  # nobody loses his patience for being slow

    assert absent == [team.workers[2]]
    assert torch.equal(team.c, pair.c)


async def test_what_comes_late_is_dropped_and_counted_and_its_worker_goes_on_from_c() -> None:
    team = Team([dyadic(k) for k in range(2)], H=2, steps=4)
    late = team.workers[1]
    await late.learner.begin(late.share.join)
    alone_there = type(team.aggregator.workers)(team.workers[:1])
    team.aggregator.workers = alone_there
    await team.workers[0].run()
    c = team.c.clone()

    late.t = 2
    await late._average()

    assert team.aggregator.hands.late == 1
    assert torch.equal(team.c, c)
    assert torch.equal(late.learner.x, c)
    assert late.t == 4


async def test_a_difference_that_is_not_finite_is_refused_and_c_is_untouched() -> None:
    team = Team([squares([[float("nan")]])], H=1, steps=2)

    with pytest.raises(ValueError, match=r"the difference c − w has 1 of 1 numbers NaN"):
        await team.run()

    assert team.c.tolist() == [0.0]
    assert team.aggregator.rounds == 0


async def test_l9_the_outer_step_is_made_once_a_round() -> None:
    team = Team([build(seed=k) for k in range(3)], H=3, steps=9)
    steps = []
    step = team.aggregator.outer.step

    def noted(c: Tensor, D: Tensor) -> None:
        steps.append(D)
        step(c, D)

    team.aggregator.outer.step = noted

    await team.run()

    assert len(steps) == 3


async def test_workers_may_make_different_numbers_of_steps_in_a_round() -> None:
    team = Team([dyadic(0), dyadic(1)], H=4, steps=4)
    aggregator: Aggregator = team.aggregator
    ones = torch.ones(2, dtype=torch.float64)

    await aggregator.hand(team.workers[0], Told(0, 4), ones, None)
    await aggregator.hand(team.workers[1], Told(0, 3), 3 * ones, None)

    assert team.c.tolist() == [-1.0, -4.0]
    assert (aggregator.t, aggregator.due) == (4, 8)


def test_a_period_below_one_step_is_refused() -> None:
    with pytest.raises(ValueError, match="H is 0, but a period of 1 step or more is wanted"):
        constant(0)
