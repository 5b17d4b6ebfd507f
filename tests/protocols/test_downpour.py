from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.protocols.conftest import build
from tether.actors import ActorGone
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.downpour import Center, Worker
from tether.protocols.evaluator import Source
from tether.protocols.learner import Supervised
from tether.protocols.quadratic import Quadratic
from tether.runners import virtual

Regression = Callable[..., Supervised]


def at(x: float) -> Tensor:
    return torch.tensor([x], dtype=torch.float64)


def half(start: float, sigma: float = 0.0, seed: int = 0) -> Quadratic:
    """Return a learner of x²/2 with η = 1/2, whose steps are exact while there are few."""
    return Quadratic(1, eta=0.5, h=1.0, sigma=sigma, optimum=0.0, start=start, seed=seed)


class Noting(Center):
    """Notes what x̃ is after each push."""

    def __init__(self, x: Tensor) -> None:
        super().__init__(x)
        self.seen: list[float] = []

    async def push(self, v: Tensor) -> int:
        before = await super().push(v)
        self.seen.append(self.x.item())
        return before


@pytest.mark.parametrize(
    ("tau", "seen", "x"),
    [
        (1, [8.0, 4.0, 2.0, 1.0, 0.5], 0.25),
        (2, [8.0, 2.0, 0.5], 0.25),
        (3, [8.0, 1.0], 0.25),
    ],
)
async def test_one_worker_pushes_its_last_steps_before_every_tau_th(
    tau: int, seen: list[float], x: float
) -> None:
    center = Noting(at(8.0))
    worker = Worker(center, half(8.0), tau, steps=5)

    await worker.run()

    assert center.seen == seen  # x is halved in a step
    assert worker.learner.x.tolist() == [x]
    assert center.t == len(seen)
    assert worker.behind == 0


@pytest.mark.parametrize("sigma", [0.0, 0.5])
async def test_r5_one_worker_that_pushes_each_step_makes_the_iterates_of_sgd_exactly(
    sigma: float,
) -> None:
    center, sgd = Noting(at(8.0)), half(8.0, sigma)
    iterates = [sgd.x.item()]
    for _ in range(9):
        await sgd.step()
        iterates.append(sgd.x.item())

    worker = Worker(center, half(8.0, sigma), tau=1, steps=9)
    await worker.run()

    assert center.seen == iterates[:-1]  # a step later, as it is pushed before the next one
    assert worker.learner.x.item() == iterates[-1]


async def test_r5_with_numbers_of_32_bits_it_is_sgd_but_for_roundings(
    regression: Regression,
) -> None:
    alone, learner = regression(), regression()

    await Worker(Center(learner.x), learner, tau=1, steps=40).run()
    for _ in range(40):
        await alone.step()

    assert torch.allclose(learner.x, alone.x, rtol=1e-5, atol=1e-6)


async def test_r1_a_period_longer_than_the_run_is_the_learners_own_training(
    regression: Regression,
) -> None:
    alone, learner = regression(momentum=0.9), regression(momentum=0.9)

    await Worker(Center(learner.x), learner, tau=100, steps=12).run()
    for _ in range(12):
        await alone.step()

    assert torch.equal(learner.x, alone.x)


def test_two_workers_add_what_both_have_learned_at_the_same_center() -> None:
    center = Noting(at(8.0))
    workers = [Worker(center, half(8.0), tau=1, steps=0) for _ in range(2)]

    async def main() -> None:
        for step in (1, 2):
            for worker in workers:
                worker.steps, worker.learner.resumed = step, True
                await worker.run()

    virtual.run(main())

    # both push 0; then −4 and −4, from 8: twice the step of one
    assert center.seen == [8.0, 8.0, 4.0, 0.0]
    assert [worker.behind for worker in workers] == [1, 1]


async def test_behind_are_the_pushes_of_others_between_a_pull_and_the_push() -> None:
    class Busy(Center):
        """Gets two pushes from others after each pull."""

        async def dated(self) -> tuple[int, Tensor]:
            t, x = self.t, self.x.clone()
            for _ in range(2):
                await super().push(at(-1.0))
            return t, x

    center = Busy(at(8.0))
    worker = Worker(center, half(8.0), tau=1, steps=2)

    await worker.run()

    # pulls 8, others −2, pushes 0; pulls 6, others −2, steps to 3; pushes −3 to 4, pulls 1
    assert worker.behind == 2
    assert worker.seen == center.t - 2
    assert center.x.tolist() == [-1.0]


@given(
    tau=st.integers(1, 5),
    steps=st.integers(0, 12),
    p=st.integers(1, 4),
    sigma=st.sampled_from([0.0, 0.5]),
)
async def test_the_center_is_its_start_and_all_that_was_pushed(
    tau: int, steps: int, p: int, sigma: float
) -> None:
    class Adding(Center):
        """Adds up what comes."""

        def __init__(self, x: Tensor) -> None:
            super().__init__(x)
            self.sum = x.clone()

        async def push(self, v: Tensor) -> int:
            self.sum += v
            return await super().push(v)

    center = Adding(at(8.0))
    workers = [Worker(center, half(8.0, sigma, seed=i), tau, steps) for i in range(p)]

    await asyncio.gather(*(worker.run() for worker in workers))

    assert torch.equal(center.x, center.sum)
    assert center.t == p * -(-steps // tau)


async def test_what_is_not_finite_is_refused_and_the_center_is_untouched() -> None:
    center = Center(at(8.0))
    learner = half(8.0)
    worker = Worker(center, learner, tau=1, steps=1)
    await worker.run()
    learner.x.fill_(torch.inf)
    worker.steps, learner.resumed = 2, True

    with pytest.raises(ValueError, match="the difference has 1 of 1 numbers NaN or infinite"):
        await worker.run()

    assert center.x.tolist() == [8.0]
    assert center.t == 1


async def test_a_worker_that_comes_back_alone_begins_at_the_center_and_pushes_nothing_old() -> None:
    center = Noting(at(8.0))
    first = Worker(center, half(8.0), tau=4, steps=3)
    await first.run()
    second = Worker(center, half(8.0), tau=4, steps=5)

    with alone():
        second.load_state_dict(deepcopy(first.state_dict()))
    await second.run()

    assert first.learner.x.tolist() == [1.0]  # −7 of it are lost
    assert center.seen == [8.0, 4.0]  # its 4th step was the first from 8 on
    assert second.t == 5


async def test_a_push_whose_outcome_is_unknown_is_not_made_again() -> None:
    class Lost(Noting):
        """Takes the second push, and dies before it is acknowledged."""

        async def push(self, v: Tensor) -> int:
            await super().push(v)
            if len(self.seen) == 2:
                raise ActorGone("center/0 was killed")
            return self.t - 1

    center = Lost(at(8.0))
    worker = Worker(center, half(8.0), tau=1, steps=3)
    with pytest.raises(ActorGone, match="center/0 was killed"):
        await worker.run()

    await worker.run()  # as a supervisor begins it again

    assert center.seen == [8.0, 4.0, 4.0, 2.0]


@given(
    tau=st.integers(1, 4),
    momentum=st.sampled_from([0.0, 0.9]),
    before=st.integers(0, 9),
    after=st.integers(0, 6),
)
async def test_a_worker_and_its_center_go_on_bit_for_bit_as_if_never_interrupted(
    tau: int, momentum: float, before: int, after: int
) -> None:
    def pair(steps: int, seed: int) -> tuple[Any, Any]:
        learner = build(momentum=momentum, seed=seed)
        center = Center(learner.x)
        return center, Worker(center, learner, tau, steps)

    undisturbed, first, resumed = pair(before + after, 0), pair(before, 0), pair(before + after, 5)
    await undisturbed[1].run()
    await first[1].run()

    for mine, saved in zip(resumed, first, strict=True):
        mine.load_state_dict(load(dump(saved.state_dict())))
    await resumed[1].run()

    for mine, saved in zip(resumed, undisturbed, strict=True):
        assert dump(mine.state_dict()) == dump(saved.state_dict())


def test_a_period_below_one_step_is_refused() -> None:
    with pytest.raises(ValueError, match="tau is 0, but a period of 1 step or more is wanted"):
        Worker(Center(at(0.0)), half(0.0), tau=0, steps=1)


async def test_the_center_has_memory_of_its_own_and_can_be_evaluated() -> None:
    start = at(0.0)
    center = Center(start)

    await center.push(at(2.0))

    assert start.tolist() == [0.0]
    assert (await center.pull()).tolist() == [2.0]
    assert issubclass(Center, Source)
    assert issubclass(Worker, Source)
