"""EASGD in a simulated world does what its authors prove of it on a quadratic.

Zhang, Choromanska & LeCun 2015 (1412.6651), section 4 and its supplement. What a run is compared
with is a linear map that is written down here, and shares no line with the protocol.
"""

from __future__ import annotations

from functools import cache, partial
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.simulation import players
from tests.simulation.players import (
    NETWORK,
    Noting,
    in_step,
    in_turn,
    simulate,
    wiring,
)
from tether.protocols.easgd import Center

Matrix = np.ndarray[Any, np.dtype[np.float64]]

EDGE = 0.05
"""How far from a border, as a share of it, points on both of its sides are."""
ETAS = (0.3, 0.5, 1.0, 1.5)
INSIDE = 4
"""Random points of the region for each number of workers."""


class Point(NamedTuple):
    """A learning rate and a moving rate; the curvature is 1."""

    eta: float
    alpha: float


def border(eta: float) -> float:
    """Return the largest α with which round robin EASGD is stable."""
    return (4 - 2 * eta) / (4 - eta)


def turn(i: int, p: int, point: Point) -> Matrix:
    """Return what the turn of worker i makes of (x⁰ … xᵖ⁻¹, x̃)."""
    eta, alpha = point
    move: Matrix = np.eye(p + 1)
    move[i, i], move[i, p] = 1 - eta - alpha, alpha
    move[p, i], move[p, p] = alpha, 1 - alpha
    return move


def mapped(p: int, turns: int, point: Point) -> Matrix:
    """Return the states before each turn, from 1 in all variables on."""
    states = [np.ones(p + 1)]
    for t in range(turns - 1):
        states.append(turn(t % p, p, point) @ states[-1])
    return np.stack(states)


def simulated(p: int, steps: int, point: Point) -> Matrix:
    """Return the same states as a simulation has them, as far as they are seen.

    A worker's x is seen at its next turn; until then nobody changes it.
    """
    center = {"actor": Noting, "alpha": point.alpha}
    noting, _ = simulate(wiring(center, p, steps, point.eta), in_turn(p, steps))
    x, middle = np.array(noting.seen).T
    turns = np.arange(len(x) - p + 1)
    columns = [x[turns + (i - turns) % p] for i in range(p)]
    return np.stack([*columns, middle[turns]], axis=1)


def random_points(count: int, seed: int, low: float, high: float) -> list[Point]:
    """Return points whose α is a random share of the border's, and at most 1."""
    draw = Random(seed).uniform
    etas = [draw(0.05, 1.6) for _ in range(count)]
    return [Point(eta, min(1.0, draw(low, high) * border(eta))) for eta in etas]


@pytest.mark.parametrize("point", [Point(0.5, 0.3), *random_points(2, 1, 0.1, 1.1)])
@pytest.mark.parametrize("p", [1, 2, 3, 4])
def test_in_round_robin_a_trajectory_is_that_of_the_linear_map(p: int, point: Point) -> None:
    found = simulated(p, 30, point)

    wanted = mapped(p, len(found), point)
    assert len(found) == 29 * p + 1
    assert np.abs(found - wanted).max() <= 1e-14 * np.abs(wanted).max()
    assert found[-1] == pytest.approx(wanted[-1], rel=1e-10)


@pytest.mark.parametrize("p", range(1, 9))
def test_p9_inside_the_round_robin_region_no_turn_takes_the_variables_further_from_the_optimum(
    p: int,
) -> None:
    points = [Point(2.0, 0.0), Point(0.0, 1.0), Point(1.0, (1 - EDGE) * border(1.0))]
    points += random_points(INSIDE, p, 0.0, 1.0)

    for point in points:
        norms = np.linalg.norm(simulated(p, 20, point), axis=1)

        assert (norms[1:] <= norms[:-1] * (1 + 1e-14)).all(), point
        assert norms[-1] < norms[0] or point.eta in {0.0, 2.0}, point


@pytest.mark.parametrize("eta", ETAS)
def test_p9_one_worker_is_stable_on_one_side_of_the_border_and_diverges_on_the_other(
    eta: float,
) -> None:
    inside, outside = (
        np.linalg.norm(simulated(1, 200, Point(eta, share * border(eta))), axis=1)
        for share in (1 - EDGE, 1 + EDGE)
    )

    assert inside[-1] < 0.02
    assert outside[-1] > 100


@pytest.mark.parametrize(
    "point", [Point(2.1, 0.0), Point(2.05, 0.1), Point(2.5, 0.5), *random_points(6, 2, 1.1, 1.5)]
)
def test_p9_outside_the_round_robin_region_one_worker_diverges(point: Point) -> None:
    norms = np.linalg.norm(simulated(1, 200, point), axis=1)

    assert point.alpha > border(point.eta)
    assert norms[-1] > 100


def test_outside_the_round_robin_region_two_workers_may_be_stable_where_one_is_not() -> None:
    point = Point(0.95, 1.03 * border(0.95))

    one, two = (np.linalg.norm(simulated(p, 200, point), axis=1) for p in (1, 2))

    assert one[-1] > 100
    assert two[-1] < 0.02


# Synchronous EASGD: (x̃, x̄) is a linear system of its own, driven by the mean of p noises.

ETA, H, BETA, SIGMA = 0.1, 1.3, 0.9, 0.7
LIMIT, SOLVED = 0.019634, {16: 0.018553, 40: 0.019185}
"""p·Var x̃ with these, for p → ∞ and for some p, as others have worked it out."""
REPLICAS, BEGINNING, ROUNDS = 16384, 40, 70
"""Coordinates, each a replica of its own; rounds that pass until they are in balance; all rounds.

A round leaves 0.88 of what is not: after 40 a variance is off its balance by 0.88⁸⁰ of itself. More
replicas say as much as more rounds, for less: a round costs messages.
"""


class Estimate(NamedTuple):
    """Means over replicas and rounds, with their standard errors."""

    mean: float
    mean_error: float
    square: float
    square_error: float


def round_(p: int, eta: float, beta: float, h: float = 1.0) -> Matrix:
    """Return what a synchronous round makes of (x̃, x̄) without noise."""
    alpha = beta / p
    return np.array([[1 - beta, beta], [alpha, 1 - eta * h - alpha]])


def balance(p: int) -> Matrix:
    """Return the covariance of (x̃, x̄) that a round leaves as it is: S = A S Aᵀ + Q."""
    a, q = round_(p, ETA, BETA, H), np.diag([0.0, (ETA * SIGMA) ** 2 / p])
    found = np.linalg.solve(np.eye(4) - np.kron(a, a), q.ravel())
    return np.asarray(found.reshape(2, 2), dtype=np.float64)


def standard_errors(p: int) -> tuple[float, float]:
    """Return those of the means of x̃ and x̃² over replicas and rounds.

    With γ the autocovariance of x̃, the squares of two rounds have the covariance 2γ² if x̃ is
    normal. The noise, which is ±σ, has lighter tails, which can only make it smaller.
    """
    rounds = ROUNDS - BEGINNING
    lags, a = np.arange(rounds), round_(p, ETA, BETA, H)
    gammas = np.array([(np.linalg.matrix_power(a, lag) @ balance(p))[0, 0] for lag in lags])
    pairs = np.where(lags > 0, 2, 1) * (rounds - lags)
    of_means = np.array([pairs @ gammas, pairs @ (2 * gammas**2)]) / rounds**2 / REPLICAS
    return float(of_means[0] ** 0.5), float(of_means[1] ** 0.5)


@cache
def estimate(p: int) -> Estimate:
    """Measure x̃ with p workers in step; both errors are those that theory expects."""
    noise: dict[str, Any] = {"h": H, "sigma": SIGMA, "n": REPLICAS, "start": 0.0, "seed": 5}
    found, _ = simulate(players.synchronous(BETA / p, p, ROUNDS, ETA, **noise), in_step())
    x = np.stack([each.numpy() for each in found.seen[BEGINNING:]])
    errors = standard_errors(p)
    return Estimate(float(x.mean()), errors[0], float(np.square(x).mean()), errors[1])


def limit() -> float:
    """Return the closed form of p·Var x̃ for p → ∞."""
    rate = ETA * H
    first = BETA * rate / ((2 - BETA) * (2 - rate))
    second = (2 - BETA - rate + BETA * rate) / (BETA + rate - BETA * rate)
    return first * second * SIGMA**2 / H**2


@pytest.mark.parametrize("p", [4, 16, pytest.param(40, marks=pytest.mark.soak)])
def test_a_synchronous_center_varies_about_the_optimum_as_much_as_theory_says(p: int) -> None:
    found = estimate(p)

    variance = balance(p)[0, 0]
    assert abs(found.mean) < 4 * found.mean_error
    assert abs(found.square - variance) < 4 * found.square_error
    assert found.square_error < 0.01 * variance


@pytest.mark.parametrize("p", SOLVED)
def test_the_variance_that_theory_says_is_what_others_have_worked_out(p: int) -> None:
    assert p * balance(p)[0, 0] == pytest.approx(SOLVED[p], abs=5e-7)
    assert limit() == pytest.approx(LIMIT, abs=5e-7)


def test_p_times_the_variance_of_a_synchronous_center_tends_to_the_papers_limit() -> None:
    missing = {p: limit() - p * estimate(p).square for p in (4, 16, 40)}

    assert missing[4] > missing[16] > missing[40]
    assert abs(missing[40]) < 0.04 * limit()
    assert 100_000 * balance(100_000)[0, 0] == pytest.approx(limit(), rel=1e-4)


class Step(NamedTuple):
    """How many workers are in step, with which η and β; the curvature is 1."""

    p: int
    eta: float
    beta: float


BOUNDED = [Step(1, 0.5, 0.8), Step(2, 0.2, 1.2), Step(4, 1.0, 1.2), Step(8, 1.8, 0.8)]
DIVERGING = [Step(1, 0.5, 0.95), Step(2, 0.2, 1.4), Step(4, 1.0, 1.45), Step(8, 1.8, 1.0)]
"""The same p and η, on the other side of the first condition."""
OVERSHOOTING = Step(8, 4.0, 3.0)
"""This fails the second condition only."""


def conditions(step: Step) -> tuple[bool, bool]:
    """Return whether each of the two conditions of synchronous stability holds."""
    p, eta, beta = step
    product, total = (2 - eta) * (2 - beta), (2 - eta) + (2 - beta)
    return product > 2 * beta / p, total > beta / p


@cache
def synchronous(step: Step) -> Matrix:
    """Return x̃ before each of the rounds of a simulation."""
    p, eta, beta = step
    found, _ = simulate(players.synchronous(beta / p, p, 120, eta), in_step())
    return np.array([x.item() for x in found.seen])


@pytest.mark.parametrize("step", BOUNDED)
def test_p9_a_synchronous_center_is_stable_where_both_conditions_hold(step: Step) -> None:
    x = synchronous(step)

    assert conditions(step) == (True, True)
    assert np.abs(x).max() <= 2
    assert abs(x[-1]) < 0.05


@pytest.mark.parametrize("step", [*DIVERGING, OVERSHOOTING])
def test_p9_a_synchronous_center_diverges_where_one_of_the_conditions_fails(step: Step) -> None:
    x = synchronous(step)

    assert conditions(step) == (step == OVERSHOOTING, step != OVERSHOOTING)
    assert abs(x[-1]) > 50


@pytest.mark.parametrize("step", [*BOUNDED, *DIVERGING, OVERSHOOTING])
def test_a_synchronous_trajectory_is_that_of_the_linear_map(step: Step) -> None:
    x = synchronous(step)

    power = partial(np.linalg.matrix_power, round_(*step))
    wanted = np.array([power(t)[0].sum() for t in range(120)])
    assert len(x) == 120
    assert np.abs(x - wanted).max() <= 1e-12 * np.abs(wanted).max()


# Asynchronous EASGD: how far the workers are apart.


def disagreement(alpha: float, seed: int) -> list[float]:
    """Return the mean of ‖xⁱ − x̄‖ at moments of a run without order, but for its beginning."""
    center = {"actor": Center, "alpha": alpha}
    noisy = wiring(center, 4, 150, ETA, h=H, sigma=SIGMA, n=256, start=0.0, seed=seed)
    _, simulation = simulate(noisy, NETWORK)
    looks = simulation.disagreement.tables["worker"]
    return [look.mean for look in looks if look.t > 0.5]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_asynchronous_workers_disagree_less_the_larger_alpha_is(seed: int) -> None:
    found = [disagreement(alpha, seed) for alpha in (0.05, 0.2, 0.5)]

    means = [float(np.mean(looks)) for looks in found]
    assert all(len(looks) >= 10 and np.isfinite(looks).all() for looks in found)
    assert means[0] > means[1] > means[2] > 0
