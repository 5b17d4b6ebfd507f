"""ADMM in turns, by hand and as a linear map: it is unstable where EASGD is not."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import reduce
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.protocols.test_downpour import at, half
from tests.simulation.test_theory import Matrix, Point, simulated
from tests.simulation.test_theory import turn as easgd_turn
from tether.actors import Group
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.admm import Center, Worker
from tether.protocols.quadratic import Quadratic, initial
from tether.runners import virtual
from tether.runners.world import World

ETA, RHO = 0.001, 2.5
"""The example of the paper, section 4."""
RADII = {3: (1.00097, 0.99927), 8: (1.00226, 0.99912)}
"""Of a round of p turns: ADMM's, and that of EASGD with α = ηρ."""


def system(p: int, turns: int, *, rho: float = 1.0) -> tuple[Center, list[Worker]]:
    """Return a center and workers that will begin at 8, with η = 1/2 and ∇F = x."""
    workers = [Worker(half(100.0), rho) for _ in range(p)]
    return Center(at(8.0), Group(workers), turns), workers


async def test_the_turns_of_two_workers_worked_by_hand() -> None:
    center, workers = system(2, turns=3, rho=2.0)  # ηρ = 1

    await center.run()

    # t=0: λ⁰ = 0, x⁰ = (4 + 8)/2 = 6, x̃ = (6 + 8)/2 = 7
    # t=1: λ¹ = −1, x¹ = (4 − 1 + 7)/2 = 5, x̃ = (6 + 6)/2 = 6
    # t=2: λ⁰ = 0, x⁰ = (3 + 0 + 6)/2 = 4.5, x̃ = (4.5 + 6)/2 = 5.25
    assert [worker.learner.x.item() for worker in workers] == [4.5, 5.0]
    assert [worker.multiplier.item() for worker in workers] == [0.0, -1.0]
    assert [worker.t for worker in workers] == [2, 1]
    assert center.x.tolist() == [5.25]


async def test_without_elasticity_all_are_sgd_of_their_own() -> None:
    center, workers = system(2, turns=5, rho=0.0)

    await center.run()

    assert [worker.learner.x.item() for worker in workers] == [1.0, 2.0]


async def test_a_worker_that_is_not_finite_leaves_the_center_untouched() -> None:
    center, workers = system(2, turns=2)
    await workers[1].begin(center.x)
    workers[1].learner.x.fill_(torch.nan)

    with pytest.raises(ValueError, match="x − λ has 1 of 1 numbers NaN or infinite"):
        await center.run()

    assert center.t == 1
    assert torch.isfinite(center.x).all()


async def test_a_worker_that_comes_back_alone_begins_at_the_center() -> None:
    center, workers = system(2, turns=4)
    await center.run()
    again = Worker(half(100.0), rho=1.0)
    with alone():
        again.load_state_dict(deepcopy(workers[0].state_dict()))

    await again.turn(center.x)

    like = Worker(half(center.x.item()), rho=1.0)
    like.multiplier.copy_(workers[0].multiplier)
    await like.turn(center.x)
    assert torch.equal(again.learner.x, like.learner.x)
    assert again.t == 3


async def test_all_go_on_bit_for_bit_as_if_never_interrupted() -> None:
    undisturbed, first, resumed = system(3, 11), system(3, 4), system(3, 11)
    await undisturbed[0].run()
    await first[0].run()

    pairs: list[tuple[Any, Any]] = [(resumed[0], first[0]), *zip(resumed[1], first[1], strict=True)]
    for mine, saved in pairs:
        mine.load_state_dict(load(dump(saved.state_dict())))
    await resumed[0].run()

    assert torch.equal(resumed[0].x, undisturbed[0].x)
    for mine, saved in zip(resumed[1], undisturbed[1], strict=True):
        assert dump(mine.state_dict()) == dump(saved.state_dict())


# As a linear map of (x⁰ … xᵖ⁻¹, λ⁰ … λᵖ⁻¹, x̃), which shares no line with the protocol.


def turn(i: int, p: int, eta: float, rho: float) -> Matrix:
    """Return what turn i makes of it, with the curvature 1."""
    dual: Matrix = np.eye(2 * p + 1)
    dual[p + i, i], dual[p + i, -1] = -1, 1
    primal: Matrix = np.eye(2 * p + 1)
    primal[i, i] = (1 - eta) / (1 + eta * rho)
    primal[i, p + i] = primal[i, -1] = eta * rho / (1 + eta * rho)
    mean: Matrix = np.eye(2 * p + 1)
    mean[-1] = [*[1 / p] * p, *[-1 / p] * p, 0]
    return np.asarray(mean @ primal @ dual)


def round_of(turns: list[Matrix]) -> Matrix:
    """Return the map of several turns, the first one first."""
    return reduce(np.matmul, turns[::-1])


def radius(one: Matrix) -> float:
    return float(np.abs(np.linalg.eigvals(one)).max())


def growth(one: Matrix, states: Matrix) -> Matrix:
    """Return by how much states grow from round to round along the map's dominant direction.

    It is what the left eigenvector of the largest eigenvalue sees of them.
    """
    values, vectors = np.linalg.eig(one.T)
    seen = np.abs(states @ vectors[:, np.abs(values).argmax()])
    return np.asarray(seen[1:] / seen[:-1])


class Noting(Worker):
    """Notes before each turn what it holds, and the x̃ that came."""

    def __init__(self, learner: Quadratic, rho: float) -> None:
        super().__init__(learner, rho)
        self.noted: list[tuple[float, float, float]] = []

    async def turn(self, center: Tensor) -> Tensor:
        self.noted.append((self.learner.x.item(), self.multiplier.item(), center.item()))
        return await super().turn(center)


def admm(p: int, rounds: int, eta: float, rho: float) -> Matrix:
    """Return the states before each round of a simulation, from 1 in all x on."""
    learner = {"make": Quadratic, "n": 1, "eta": eta, "h": 1.0, "sigma": 0.0}
    tables: Mapping[str, Any] = {
        "center": {
            "actor": Center, "x": {"make": initial, "n": 1, "start": 1.0},
            "workers": "@worker[*]", "turns": p * rounds,
        },
        "worker": {
            "actor": Noting, "count": p, "rho": rho,
            "learner": {**learner, "optimum": 0.0, "start": 1.0, "seed": 0},
        },
    }  # fmt: skip

    async def main() -> list[Any]:
        async with World(tables, "simulated") as world:
            await world.finished()
            assert world.simulation is not None
            actors = world.simulation.actors()
            return [actors[f"worker/{i}"].noted for i in range(p)]

    x, multiplier, center = np.array(virtual.run(main())).transpose(2, 1, 0)
    return np.concatenate([x, multiplier, center[:, :1]], axis=1)


@pytest.mark.parametrize("p", RADII)
def test_the_papers_example_is_unstable_with_admm_and_stable_with_easgd(p: int) -> None:
    ours = radius(round_of([turn(i, p, ETA, RHO) for i in range(p)]))
    easgd = radius(round_of([easgd_turn(i, p, Point(ETA, ETA * RHO)) for i in range(p)]))

    assert ours == pytest.approx(RADII[p][0], abs=5e-6)
    assert easgd == pytest.approx(RADII[p][1], abs=5e-6)


@pytest.mark.parametrize(("p", "eta", "rho"), [(1, 0.5, 1.0), (3, ETA, RHO), (4, 0.3, 2.0)])
def test_in_a_simulation_a_trajectory_is_that_of_the_linear_map(
    p: int, eta: float, rho: float
) -> None:
    found = admm(p, 20, eta, rho)

    one = round_of([turn(i, p, eta, rho) for i in range(p)])
    start = np.array([*[1.0] * p, *[0.0] * p, 1.0])
    wanted = np.stack([np.linalg.matrix_power(one, k) @ start for k in range(20)])
    assert np.abs(found - wanted).max() <= 1e-13 * np.abs(wanted).max()


@pytest.mark.parametrize("p", RADII)
def test_simulated_actors_grow_by_the_papers_radius_in_a_round(p: int) -> None:
    rounds = 40
    ours = growth(round_of([turn(i, p, ETA, RHO) for i in range(p)]), admm(p, rounds, ETA, RHO))
    point = Point(ETA, ETA * RHO)
    one = round_of([easgd_turn(i, p, point) for i in range(p)])
    easgd = growth(one, simulated(p, rounds, point)[::p])

    assert ours == pytest.approx(RADII[p][0], abs=5e-6)
    assert easgd == pytest.approx(RADII[p][1], abs=5e-6)
