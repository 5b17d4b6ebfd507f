"""Synchronous EASGD among faults, and an error that is planted."""

from typing import Any

import pytest
from torch import Tensor

from tests.simulation.players import CRASHES, NETWORK, TROUBLES, Synchronous, played, synchronous
from tether.protocols import easgd_gauss_seidel
from tether.protocols.easgd_synchronous_invariants import INVARIANTS, Conservation


def in_step(seed: int) -> dict[str, Any]:
    tables = synchronous(0.2, 4, 60, 0.1, n=8, sigma=0.5, seed=seed)
    tables["run"]["checkpoint"] = 0.3
    tables["center"]["max_restarts"] = tables["worker"]["max_restarts"] = 20
    return tables


class Greedy(Synchronous):
    """A center that moves by itself: planted."""

    async def run(self) -> None:
        await self.learner.apply(Tensor.add_, 1.0)
        await super().run()


def test_the_invariant_is_conservation() -> None:
    assert (Conservation,) == INVARIANTS


@pytest.mark.parametrize("seed", range(3))
def test_without_a_death_all_is_conserved_and_nothing_leaks(seed: int) -> None:
    _, simulation = played(in_step(seed), NETWORK, TROUBLES)

    assert simulation.broken == {}
    assert simulation.declared.leaks == []


@pytest.mark.parametrize("seed", range(6))
def test_what_deaths_take_is_booked_and_all_else_is_conserved(seed: int) -> None:
    _, simulation = played(in_step(seed), NETWORK, {**TROUBLES, **CRASHES})

    assert simulation.tally.restarts
    assert simulation.broken == {}
    assert simulation.declared.leaks != []


def test_a_center_that_moves_by_itself_is_told() -> None:
    tables = in_step(0)
    tables["center"]["actor"] = Greedy

    _, simulation = played(tables, NETWORK)

    assert any("+ differences under way is off" in sentence for sentence in simulation.broken)


def test_the_gauss_seidel_form_conserves_nothing_and_is_left_alone() -> None:
    tables = in_step(0)
    tables["center"]["actor"] = easgd_gauss_seidel.Center

    _, simulation = played(tables, NETWORK)

    assert simulation.broken == {}
