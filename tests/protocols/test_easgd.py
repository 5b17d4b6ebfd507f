import asyncio
from collections.abc import Callable
from copy import deepcopy
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.protocols.conftest import build
from tether.actors import ActorGone
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols import easgd, easgd_paper
from tether.protocols.easgd import Center, Worker
from tether.protocols.learner import Learner, Supervised
from tether.runners.world import World

Regression = Callable[..., Supervised]


class Point(nn.Module):
    """One number to be learned."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor([start], dtype=torch.float64))


def parabola(eta: float, curvatures: list[float]) -> Learner:
    """Return a learner of h·x²/2, with a curvature h a batch."""
    model = Point(0.0)

    def f(model: nn.Module, h: float) -> Tensor:
        return (h * model.get_parameter("x") ** 2).sum() / 2

    return Learner(model, f, curvatures, torch.optim.SGD(model.parameters(), lr=eta))


def algorithm_2(
    x: Fraction, eta: Fraction, delta: Fraction, alpha: Fraction, h: list[Fraction], tau: int
) -> tuple[Fraction, Fraction]:
    """Return xⁱ and x̃ after the paper's steps, in exact arithmetic and its own notation."""
    x_i, center, v = x, x, Fraction(0)
    for t, h_t in enumerate(h):
        x = x_i
        if t % tau == 0:
            x_i, center = x_i - alpha * (x - center), center + alpha * (x - center)
        v = delta * v - eta * h_t * (x + delta * v)
        x_i = x_i + v
    return x_i, center


async def trained(worker: Worker) -> list[float]:
    await worker.run()
    return list(worker.learner.x.tolist())


@pytest.mark.parametrize("mode", [easgd, easgd_paper])
@pytest.mark.parametrize("delta", [0.0, 0.5])
@pytest.mark.parametrize("tau", [1, 2, 3])
async def test_one_worker_follows_the_papers_algorithm_exactly(
    mode: Any, delta: float, tau: int
) -> None:
    h = [1.0, 2.0, -1.0, 0.5, 1.0]
    center = mode.Center(torch.tensor([8.0], dtype=torch.float64), alpha=0.25)
    worker = mode.Worker(center, parabola(0.5, h), tau=tau, steps=5, delta=delta)

    await worker.run()

    exact = [Fraction(each) for each in (8.0, 0.5, delta, 0.25)]
    x_i, x_c = algorithm_2(exact[0], exact[1], exact[2], exact[3], list(map(Fraction, h)), tau)
    assert Fraction(worker.learner.x.item()) == x_i
    assert Fraction(center.x.item()) == x_c


async def test_r1_a_period_longer_than_the_run_is_sgd_after_its_first_exchange(
    regression: Regression,
) -> None:
    alone, learner = regression(momentum=0.9), regression(momentum=0.9)
    worker = Worker(Center(learner.x, alpha=0.5), learner, tau=100, steps=12)

    await worker.run()
    for _ in range(12):
        await alone.step()

    assert torch.equal(learner.x, alone.x)


async def test_r2_with_alpha_zero_it_is_independent_sgd_and_the_center_is_frozen(
    regression: Regression,
) -> None:
    alone, learner = regression(), regression()
    center = Center(learner.x, alpha=0.0)
    start = center.x.clone()

    await Worker(center, learner, tau=1, steps=12).run()
    for _ in range(12):
        await alone.step()

    assert torch.equal(learner.x, alone.x)
    assert torch.equal(center.x, start)


async def test_r4_without_momentum_eamsgd_is_easgd_bit_for_bit(regression: Regression) -> None:
    found = []
    for v in (None, torch.zeros(26)):
        learner = regression()
        worker = Worker(Center(learner.x, alpha=0.25), learner, tau=2, steps=12)
        worker.local.v = v
        found.append(await trained(worker))

    assert found[0] == found[1]


async def test_in_the_papers_messages_one_worker_ends_at_the_same_bits(
    regression: Regression,
) -> None:
    modes: list[Any] = [easgd, easgd_paper]
    found = []
    for mode in modes:
        learner = regression()
        worker = mode.Worker(mode.Center(learner.x, 0.3), learner, tau=3, steps=12, delta=0.9)
        found.append(await trained(worker))

    assert found[0] == found[1]


@pytest.mark.parametrize("mode", [easgd, easgd_paper])
async def test_four_workers_conserve_the_sum_when_nothing_is_learned(mode: Any) -> None:
    center = mode.Center(torch.zeros(1, dtype=torch.float64), alpha=0.25)
    workers = [mode.Worker(center, parabola(0.5, [0.0]), 1, 8) for _ in range(4)]
    for i, worker in enumerate(workers):
        await worker.learner.apply(Tensor.fill_, 2.0**i)

    for _ in range(5):
        await asyncio.gather(*(self_exchange(worker) for worker in workers))

    assert float(center.x) + sum(float(each.learner.x) for each in workers) == 15.0
    assert float(center.x) > 1.0


async def self_exchange(worker: Worker) -> None:
    d = await worker.center.exchange(worker.learner.x)
    await worker.learner.apply(Tensor.sub_, d)


async def test_a_worker_that_is_not_finite_is_refused_and_the_center_is_untouched() -> None:
    center = Center(torch.zeros(1, dtype=torch.float64), alpha=0.5)
    worker = Worker(center, parabola(1.0, [float("nan")]), tau=1, steps=3)

    with pytest.raises(ValueError, match=r"the elastic difference .* 1 of 1 numbers NaN"):
        await worker.run()

    assert center.x.tolist() == [0.0]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failed_exchange_leaves_no_task_behind(regression: Regression) -> None:
    learner = regression()
    worker = Worker(Center(torch.zeros(26), alpha=0.5), learner, tau=1, steps=3)
    worker.center = Center(torch.zeros(26), alpha=0.5)
    await worker.learner.apply(Tensor.zero_)
    worker.center.x = torch.full((26,), torch.inf)

    with pytest.raises(ValueError, match=r"the elastic difference .* 26 of 26 numbers NaN"):
        await worker.run()

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_exchange_overlaps_the_gradient(regression: Regression) -> None:
    learner = regression()
    begun, measured = asyncio.Event(), asyncio.Event()

    class Slow(Center):
        async def exchange(self, x: Tensor) -> Tensor:
            begun.set()
            await measured.wait()
            return await super().exchange(x)

    worker = Worker(Slow(learner.x, alpha=0.5), learner, tau=1, steps=1)
    loss = learner._objective.loss

    def f(model: nn.Module, batch: Any) -> Tensor:
        loop.call_soon_threadsafe(measured.set)
        return loss(model, batch)

    loop, learner._objective.loss = asyncio.get_running_loop(), f

    await worker.run()

    assert begun.is_set()
    assert worker.t == 1


async def test_a_restarted_worker_goes_on_from_its_clock_at_the_centers_x(
    regression: Regression,
) -> None:
    learner = regression(dropout=0.5)
    center = Center(learner.x, alpha=0.5)
    first = Worker(center, learner, tau=2, steps=5, delta=0.5)
    await first.run()
    second = Worker(center, regression(dropout=0.5, seed=4), tau=2, steps=5, delta=0.5)

    with alone():
        second.load_state_dict(deepcopy(first.state_dict()))
    await second.run()

    assert second.t == 5
    assert torch.equal(second.learner.x, center.x)
    assert not torch.equal(first.learner.x, center.x)
    assert second.local.v is not None
    assert first.local.v is not None
    assert torch.equal(second.local.v, first.local.v)
    assert torch.equal(await second.learner.gradient(center.x), await learner.gradient(center.x))


class Pair:
    """A center and its one worker, as a wiring would make them."""

    def __init__(self, mode: Any, learner: Learner, steps: int, tau: int, delta: float) -> None:
        self.center = mode.Center(torch.zeros_like(learner.x) + 0.1, alpha=0.3)
        self.worker = mode.Worker(self.center, learner, tau, steps, delta)

    def saved(self) -> tuple[bytes, bytes]:
        return dump(self.center.state_dict()), dump(self.worker.state_dict())

    def restored(self, center: bytes, worker: bytes) -> None:
        self.center.load_state_dict(load(center))
        self.worker.load_state_dict(load(worker))


@given(
    mode=st.sampled_from([easgd, easgd_paper]),
    tau=st.integers(1, 4),
    delta=st.sampled_from([0.0, 0.9]),
    momentum=st.sampled_from([0.0, 0.9]),
    dropout=st.sampled_from([0.0, 0.5]),
    before=st.integers(0, 13),
    after=st.integers(0, 8),
)
async def test_a_worker_and_its_center_go_on_bit_for_bit_as_if_never_interrupted(
    mode: Any, tau: int, delta: float, momentum: float, dropout: float, before: int, after: int
) -> None:
    def pair(steps: int, seed: int) -> Pair:
        learner = build(momentum=momentum, dropout=dropout, seed=seed, extra=nn.BatchNorm1d(4))
        return Pair(mode, learner, steps, tau, delta)

    undisturbed, first = pair(before + after, seed=0), pair(before, seed=0)
    resumed = pair(before + after, seed=5)
    await undisturbed.worker.run()
    await first.worker.run()

    resumed.restored(*first.saved())
    await resumed.worker.run()

    assert torch.equal(resumed.worker.learner.x, undisturbed.worker.learner.x)
    assert torch.equal(resumed.center.x, undisturbed.center.x)
    assert resumed.saved() == undisturbed.saved()


async def test_a_resumed_worker_whose_run_is_begun_again_pulls_the_centers_x(
    regression: Regression,
) -> None:
    class Lost(Center):
        async def exchange(self, x: Tensor) -> Tensor:
            raise ActorGone("center/0 was killed")

    first = Worker(Center(torch.zeros(26), alpha=0.5), regression(), tau=1, steps=3)
    await first.run()
    worker = Worker(Lost(torch.zeros(26), alpha=0.5), regression(), tau=1, steps=3)
    worker.load_state_dict(first.state_dict())
    worker.t = 2
    with pytest.raises(ActorGone, match="center/0 was killed"):
        await worker.run()
    kept = worker.learner.x.clone()

    worker.center, worker.steps = Center(torch.ones(26), alpha=0.5), 2
    await worker.run()

    assert torch.equal(kept, first.learner.x)
    assert worker.learner.x.tolist() == [1.0] * 26


def start() -> Tensor:
    return torch.ones(1, dtype=torch.float64)


def poisoned() -> Learner:
    return parabola(1.0, [1.0, float("nan")])


def steady() -> Learner:
    return parabola(0.5, [1.0])


async def test_the_center_refuses_a_poisoned_worker_by_name_and_keeps_what_it_had() -> None:
    wiring = {
        "center": {"actor": Center, "x": {"make": start}, "alpha": 0.5},
        "worker": {
            "actor": Worker, "center": "@center", "learner": {"make": poisoned},
            "tau": 1, "steps": 5, "max_restarts": 0,
        },
    }  # fmt: skip

    async with World(wiring) as world:
        with pytest.raises(RuntimeError, match=r"worker/0[\s\S]*1 of 1 numbers NaN or infinite"):
            await world.finished()
        x = (await world.ref(Center, "center").pull()).clone()

    assert torch.isfinite(x).all()


async def test_an_exchange_that_is_cancelled_keeps_the_snapshot_it_sent() -> None:
    class Impatient(Worker):
        """Gives an exchange up while the center still has it, and learns on."""

        async def run(self) -> None:
            sent = self.learner.x
            exchange = asyncio.create_task(self.center.exchange(sent))
            await self.center.pull()
            exchange.cancel()
            await self.learner.apply(Tensor.fill_, 7.0)
            await asyncio.gather(exchange, return_exceptions=True)

    wiring = {
        "center": {"actor": Center, "x": {"make": start}, "alpha": 0.5},
        "worker": {
            "actor": Impatient, "center": "@center", "learner": {"make": steady},
            "tau": 1, "steps": 5,
        },
    }  # fmt: skip

    async with World(wiring) as world:
        await world.finished()
        x = (await world.ref(Center, "center").pull()).clone()

    assert x.tolist() == [0.5]


def test_a_period_below_one_step_is_refused(regression: Regression) -> None:
    with pytest.raises(ValueError, match="tau is 0, but a period of 1 step or more is wanted"):
        Worker(Center(torch.zeros(26), alpha=0.5), regression(), tau=0, steps=1)


async def test_the_center_moves_towards_the_worker_by_alpha() -> None:
    center = Center(torch.zeros(2), alpha=0.25)

    difference = await center.exchange(torch.tensor([4.0, 8.0]))

    assert difference.tolist() == [1.0, 2.0]
    assert center.x.tolist() == [1.0, 2.0]


async def test_the_center_keeps_its_own_copy_of_where_it_begins() -> None:
    start = torch.zeros(1)
    center = Center(start, alpha=0.5)

    await center.exchange(torch.ones(1))

    assert start.tolist() == [0.0]
    assert (await center.pull()).tolist() == [0.5]


async def test_a_restarted_center_goes_on_from_its_checkpoint() -> None:
    center, other = Center(torch.zeros(2), alpha=0.5), Center(torch.zeros(2), alpha=0.5)
    await center.exchange(torch.ones(2))

    other.load_state_dict(load(dump(center.state_dict())))

    assert other.x.tolist() == [0.5, 0.5]


def test_a_center_of_another_size_is_refused() -> None:
    center = Center(torch.zeros(2), alpha=0.5)

    with pytest.raises(ValueError, match=r"x: a checkpoint of shape \(1,\), float32 came"):
        center.load_state_dict({"x": torch.ones(1)})


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_a_moving_rate_outside_0_to_1_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"alpha is .*, but a moving rate from 0 to 1 is wanted"):
        Center(torch.zeros(1), alpha)
