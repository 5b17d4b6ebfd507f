import asyncio
from copy import deepcopy
from hashlib import shake_128
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.actors.test_compute import Names
from tether.actors.cell import Cell, Desk
from tether.actors.clock import SystemClock
from tether.actors.context import Acting, acting
from tether.actors.memory import Pool
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.easgd import Center, Worker
from tether.protocols.momentum import Nesterov
from tether.protocols.quadratic import BLOCK, Noise, Quadratic, initial, signs
from tether.runners.world import World

numbers = st.floats(-1e100, 1e100)
sizes = st.floats(0, 1e100)


class Process:
    """What an actor asks of its process: memory, and a clock that gives it its thread."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.clock = SystemClock()


def quadratic(n: int = 2, /, **changed: Any) -> Quadratic:
    """Return (x − 0.5)² in n coordinates, begun at 1, with noise ± 0.25."""
    usual = {"eta": 0.5, "h": 2.0, "sigma": 0.25, "optimum": 0.5, "start": 1.0, "seed": 7}
    return Quadratic(n, **{**usual, **changed})


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def taken(noise: Noise, calls: int) -> Tensor:
    return torch.stack([noise.take() for _ in range(calls)])


async def test_a_gradient_and_a_step_along_it_worked_by_hand() -> None:
    learner = quadratic()

    g = await learner.gradient(batch=vector(1, -1))
    await learner.step(g)

    # 2 · (1 − 0.5) ± 0.25, and 1 − 0.5 g; the loss is ((1 − 0.5)² + (1 − 0.5)²)
    assert g.tolist() == [1.25, 0.75]
    assert learner.x.tolist() == [0.375, 0.625]
    assert float(learner.loss) == 0.5


async def test_the_gradient_elsewhere_leaves_x_alone() -> None:
    learner = quadratic()

    g = await learner.gradient(vector(3, -1), batch=vector(1, 1))

    assert g.tolist() == [5.25, -2.75]
    assert learner.x.tolist() == [1.0, 1.0]
    assert float(learner.loss) == 2.5**2 + 1.5**2


async def test_the_gradient_elsewhere_at_equal_values_has_equal_bits() -> None:
    one, other = quadratic(9, optimum=0.1), quadratic(9, optimum=0.1)

    for _ in range(7):
        here = await one.gradient()
        assert torch.equal(here, await other.gradient(at=one.x.clone()))
        await one.step(here)


@given(x=numbers, h=sizes, optimum=numbers, sigma=sizes, eta=st.floats(0, 1e50))
async def test_gradient_and_step_are_the_formula_in_single_ieee_operations(
    x: float, h: float, optimum: float, sigma: float, eta: float
) -> None:
    learner = quadratic(3, start=x, h=h, optimum=optimum, sigma=sigma, eta=eta)

    g = (await learner.gradient()).tolist()
    await learner.step()

    expected = {h * (x - optimum) + noise for noise in (sigma, -sigma)}
    assert set(g) <= expected
    assert set(learner.x.tolist()) <= {x - each * eta for each in expected}


async def test_the_closed_form_is_what_differentiation_gives() -> None:
    learner = quadratic(3)
    points = torch.randn(20, 3, dtype=torch.float64)
    batches = torch.randn(20, 3, dtype=torch.float64).sign()

    found = [(await learner.gradient(*each)).clone() for each in zip(points, batches, strict=True)]

    assert torch.allclose(torch.stack(found), await learner.gradients(points, batches))
    assert (await learner.hessian_product(points[0], batches[0])).tolist() == (
        2 * points[0]
    ).tolist()


async def test_a_step_without_a_gradient_takes_the_next() -> None:
    one, other = quadratic(), quadratic()

    for _ in range(5):
        await one.step()
        await other.step(await other.gradient())

    assert torch.equal(one.x, other.x)


async def test_a_foreign_gradient_is_stepped_along() -> None:
    learner = quadratic()

    await learner.step(vector(1, 2))

    assert learner.x.tolist() == [0.5, 0.0]
    assert learner.eta == 0.5


async def test_no_graph_is_built_whatever_comes_from_outside() -> None:
    learner, outside = quadratic(), vector(1, 1).requires_grad_()

    g = await learner.gradient(outside, batch=outside)
    await learner.step(outside)

    assert not any(each.requires_grad for each in (g, learner.x, learner.loss))


def test_signs_are_the_bits_of_shake_128_lowest_first() -> None:
    # FIPS 202: SHAKE-128 of nothing begins 7f 9c
    assert signs("", 16).tolist() == [1] * 7 + [-1] + [-1, -1, 1, 1, 1, -1, -1, 1]
    assert torch.equal(signs("", 3), signs("", 16)[:3])


def bits(seed: int, n: int, calls: int) -> list[list[int]]:
    """Return so many vectors of ξ, in plain Python."""
    rows, found = BLOCK // n, []
    for block in range(-(-calls // rows)):
        drawn = shake_128(f"{seed}/{block}".encode()).digest(-(-rows * n // 8))
        ones = int.from_bytes(drawn, "little")
        xi = [2 * (ones >> k & 1) - 1 for k in range(rows * n)]
        found += [xi[row * n : (row + 1) * n] for row in range(rows)]
    return found[:calls]


async def test_a_hundred_steps_have_the_bits_of_plain_pythons_on_every_machine() -> None:
    n, eta, h, sigma, optimum = 33, 0.1, 0.3, 0.7, 0.9
    learner = quadratic(n, eta=eta, h=h, sigma=sigma, optimum=optimum)
    x = learner.x.tolist()

    for xi in bits(7, n, 100):
        await learner.step(await learner.gradient())
        g = [h * (x_k - optimum) + sigma * xi_k for x_k, xi_k in zip(x, xi, strict=True)]
        x = [x_k - eta * g_k for x_k, g_k in zip(x, g, strict=True)]

    assert learner.x.tolist() == x


@given(st.integers(0, 2**63 - 1), st.integers(1, 9), st.floats(0.001, 1000))
def test_noise_is_plus_or_minus_its_size_with_mean_0_and_thus_variance_size_squared(
    seed: int, n: int, size: float
) -> None:
    noise = taken(Noise(n, size, seed), 2000)

    assert set(noise.abs().flatten().tolist()) == {size}
    assert abs(float(noise.mean())) < 6 * size * noise.numel() ** -0.5


def test_noise_is_independent_in_coordinates_calls_and_seeds() -> None:
    one, other = (taken(Noise(4, 1.0, seed), 4001) for seed in (1, 2))

    columns = torch.cat([one[:-1], one[1:], other[1:]], dim=1)
    correlation = columns.T @ columns / 4000 - torch.eye(12, dtype=torch.float64)

    assert float(correlation.abs().max()) < 6 * 4000**-0.5


@pytest.mark.parametrize("n", [1, 3, BLOCK - 1, BLOCK, BLOCK + 1])
def test_noise_goes_on_from_any_place_whatever_its_size(n: int) -> None:
    noise, other = Noise(n, 0.5, seed=3), Noise(n, 0.5, seed=4)
    for _ in range(1500):
        noise.take()

    other.load_state_dict(noise.state_dict())

    for _ in range(3):
        assert torch.equal(noise.take(), other.take())
    assert not torch.equal(Noise(BLOCK, 0.5, 3).take(), Noise(BLOCK, 0.5, 4).take())


async def test_torchs_own_stream_is_neither_read_nor_moved() -> None:
    one, other = quadratic(9), quadratic(9)
    await one.step()

    with torch.random.fork_rng():
        torch.manual_seed(5)
        before = torch.get_rng_state()
        await other.step()
        after = torch.get_rng_state()

    assert torch.equal(one.x, other.x)
    assert torch.equal(before, after)


async def test_what_kernels_draw_is_the_learners_own_as_in_every_learner() -> None:
    one, other = quadratic(seed=1), quadratic(seed=1)

    await one.compute(torch.rand, 3)
    await other.compute(torch.rand, 3)

    assert torch.equal(await one.compute(torch.rand, 3), await other.compute(torch.rand, 3))


@given(before=st.integers(0, 40), n=st.sampled_from([32, BLOCK // 5, BLOCK + 1]))
async def test_it_resumes_bit_for_bit_at_any_step(before: int, n: int) -> None:
    learner, other = quadratic(n), quadratic(n, seed=8, start=3.0)
    for _ in range(before):
        await learner.step()

    other.load_state_dict(load(dump(learner.state_dict())))

    assert other.resumed
    for _ in range(9):
        await learner.step()
        await other.step()
        assert torch.equal(learner.x, other.x)


async def test_who_comes_back_alone_has_its_x_until_it_begins_and_goes_on_with_the_noise() -> None:
    learner, other = quadratic(), quadratic(seed=8)
    for _ in range(5):
        await learner.step()

    with alone():
        other.load_state_dict(deepcopy(learner.state_dict()))

    assert not other.resumed
    assert torch.equal(other.x, learner.x)
    assert torch.equal(await other.gradient(at=learner.x), await learner.gradient())


@pytest.mark.parametrize("resumed", [False, True])
async def test_it_begins_at_the_x_it_is_given_unless_it_has_just_come_back(resumed: bool) -> None:
    learner = quadratic()
    if resumed:
        learner.load_state_dict(quadratic(start=3.0).state_dict())

    await learner.begin(Center(vector(7, 7), alpha=0.5).pull)

    assert learner.x.tolist() == ([3.0, 3.0] if resumed else [7.0, 7.0])
    assert not learner.resumed


def test_a_state_of_a_learner_without_noise_is_refused() -> None:
    state = quadratic().state_dict()
    del state["noise"]

    with pytest.raises(ValueError, match="noise: the checkpoint has no such part; it has x, "):
        quadratic().load_state_dict(state)


async def test_x_moves_to_fresh_memory_while_its_own_is_still_lent() -> None:
    pool = Pool()
    acting.set(Acting(Cell("worker/0", cast("Desk", Process(pool)))))
    learner = quadratic(sigma=0.0)
    first = learner.x
    assert pool.owns(first.data_ptr())

    pool.lend(first.data_ptr())
    await learner.step()
    second = learner.x
    pool.lend(second.data_ptr())
    await learner.apply(Tensor.sub_, vector(1, 1))

    assert [each.tolist() for each in (first, second, learner.x)] == [
        [1, 1],
        [0.5, 0.5],
        [-0.5, -0.5],
    ]
    assert pool.owns(learner.x.data_ptr())


async def test_x_stays_where_it_is_while_nobody_else_reads_it() -> None:
    acting.set(Acting(Cell("worker/0", cast("Desk", Process(Pool())))))
    learner = quadratic()
    before = learner.x.data_ptr()

    await learner.step()
    await learner.apply(Tensor.sub_, vector(1, 1))

    assert learner.x.data_ptr() == before


async def test_its_work_has_the_names_of_every_learners() -> None:
    executor, learner = Names(), quadratic()

    await learner.begin(Center(learner.x, alpha=0.5).pull)
    await learner.step(await learner.gradient())

    assert executor.names == ["apply", "gradient", "step"]


async def test_with_nesterovs_momentum_worked_by_hand() -> None:
    local = Nesterov(quadratic(1, eta=0.25, optimum=0.0, start=4.0, sigma=0.0), delta=0.5)

    found = []
    for _ in range(2):
        g = await local.gradient()
        found.append(g.item())
        await local.step(g)
        found.append(local.learner.x.item())

    # g(4) = 8, v = −2, x = 2; then g(2 − 1) = 2, v = −1 − 0.5, x = 0.5
    assert found == [8.0, 2.0, 2.0, 0.5]


@pytest.mark.parametrize("delta", [0.0, 0.5])
async def test_easgd_converges_to_the_optimum_where_there_is_no_noise(delta: float) -> None:
    center = Center(initial(4, 5.0), alpha=0.2)
    learners = [quadratic(4, eta=0.2, h=1.0, sigma=0.0, start=start) for start in (-3.0, 9.0)]
    workers = [Worker(center, learner, tau=2, steps=300, delta=delta) for learner in learners]

    await asyncio.gather(*(worker.run() for worker in workers))

    for x in (center.x, *(learner.x for learner in learners)):
        assert torch.allclose(x, torch.full_like(x, 0.5), rtol=0, atol=1e-9)


class Pedometer(Quadratic):
    """Adds up how far its own steps have moved x."""

    moved: Tensor

    async def step(self, gradient: Tensor | None = None) -> None:
        before = self.x.clone()
        await super().step(gradient)
        self.moved += self.x - before


async def test_the_center_and_all_workers_together_move_by_the_local_steps_alone() -> None:
    center = Center(initial(3, 1.0), alpha=0.25)
    learners = [Pedometer(3, 0.25, 1.0, 0.5, 0.0, 1.0, seed=k) for k in range(4)]
    for learner in learners:
        learner.moved = torch.zeros_like(learner.x)

    await asyncio.gather(*(Worker(center, each, tau=2, steps=8).run() for each in learners))

    # in numbers of few binary digits no operation rounds, so this holds exactly
    whole = center.x + sum(learner.x for learner in learners)
    assert torch.equal(whole, torch.full_like(whole, 5.0) + sum(each.moved for each in learners))
    assert not torch.equal(center.x, torch.full_like(center.x, 1.0))


class Heard(Center):
    """Keeps what it has been sent."""

    def __init__(self, x: Tensor, alpha: float) -> None:
        super().__init__(x, alpha)
        self.heard: list[float] = []

    async def exchange(self, x: Tensor) -> Tensor:
        self.heard.append(float(x[0]))
        return await super().exchange(x)

    async def told(self) -> list[float]:
        return self.heard


async def test_a_wiring_makes_it_with_another_seed_for_each_worker() -> None:
    make = "tether.protocols.quadratic:Quadratic"
    wiring = {
        "center": {
            "actor": Heard,
            "x": {"make": "tether.protocols.quadratic:initial", "n": 32, "start": 1.0},
            "alpha": 0.0,
        },
        "worker": {
            "actor": Worker, "count": 3, "center": "@center", "tau": 20, "steps": 21,
            "learner": {
                "make": make, "n": 32, "eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0,
                "start": 1.0, "seed": "$seed",
            },
        },
    }  # fmt: skip

    async with World(wiring) as world:
        await world.finished()
        heard = await world.ref(Heard, "center").told()

    assert heard.count(1.0) == 3
    assert len(set(heard)) == 4


def test_a_center_begins_at_a_flat_vector_of_double_precision() -> None:
    x = initial(3, 0.1)

    assert x.dtype == torch.float64
    assert x.tolist() == [0.1, 0.1, 0.1]


@pytest.mark.parametrize("name", ["eta", "h", "sigma"])
@pytest.mark.parametrize("value", [-0.5, float("inf"), float("nan")])
def test_a_negative_or_infinite_number_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}, but a finite number of 0 or more is"):
        quadratic(**{name: value})


@pytest.mark.parametrize("name", ["optimum", "start"])
@pytest.mark.parametrize("value", [float("-inf"), float("nan")])
def test_a_coordinate_that_is_not_finite_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}, but a finite coordinate"):
        quadratic(**{name: value})


def test_a_vector_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="n is 0, but a vector of 1 coordinate or more is wanted"):
        quadratic(0)


async def test_vectors_of_another_size_or_precision_are_refused() -> None:
    learner = quadratic()

    with pytest.raises(ValueError, match=r"at does not fit: it is .*\(3,\).*\(2,\)"):
        await learner.gradient(at=initial(3, 1.0))
    with pytest.raises(ValueError, match=r"the batch does not fit: it is torch\.float32"):
        await learner.gradient(batch=torch.ones(2))
    with pytest.raises(ValueError, match=r"the gradient does not fit: it is torch\.float32"):
        await learner.step(torch.ones(2))
