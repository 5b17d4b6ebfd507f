from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.players import CRASHES, NETWORK, TROUBLES, played, run_of
from tether.protocols import easgd_paper
from tether.protocols.easgd_paper import Center
from tether.protocols.tie import Tie

dyadic = st.integers(-(2**10), 2**10).map(lambda n: n / 2**6)


def at(x: float) -> Center:
    return Center(torch.tensor([x], dtype=torch.float64), alpha=0.5)


async def test_two_centers_go_towards_each_other_by_alpha() -> None:
    one, other = at(8.0), at(0.0)

    apart = await Tie(one, other, alpha=0.25, every=1).pull_together()

    assert apart == 8.0
    assert [one.x.item(), other.x.item()] == [6.0, 2.0]


@given(dyadic, dyadic, st.integers(0, 8).map(lambda n: n / 8))
async def test_their_sum_is_conserved(x: float, y: float, alpha: float) -> None:
    one, other = at(x), at(y)

    await Tie(one, other, alpha, every=1).pull_together()

    assert one.x.item() + other.x.item() == x + y


async def test_centers_that_are_not_finite_are_told_and_neither_moves() -> None:
    one, other = at(float("nan")), at(1.0)

    with pytest.raises(ValueError, match=r"the elastic difference .* 1 of 1 numbers NaN"):
        await Tie(one, other, 0.5, every=1).pull_together()

    assert other.x.item() == 1.0


@pytest.mark.parametrize("faults", [TROUBLES, {**TROUBLES, "crash": CRASHES["crash"][:1]}])
def test_two_stars_that_are_tied_conserve_the_sum_of_all(faults: dict[str, Any]) -> None:
    tables = run_of(3)
    tables["center"] |= {"actor": easgd_paper.Center}
    tables["worker"] |= {"actor": easgd_paper.Worker, "count": 2, "steps": 60}
    tables["site"] = {**tables["center"]}
    tables["other"] = {**tables["worker"], "center": "@site"}
    tables["tie"] = {
        "actor": Tie, "restart": "permanent", "one": "@center", "other": "@site",
        "alpha": 0.25, "every": 0.05,
    }  # fmt: skip

    center, simulation = played(tables, NETWORK, faults)

    assert center.moves > 120
    assert simulation.broken == {}
