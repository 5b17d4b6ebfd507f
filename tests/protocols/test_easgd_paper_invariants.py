"""The paper's messages among faults: each difference is added once, and what is lost is booked."""

from typing import Any

import pytest
from torch import Tensor

from tests.simulation.players import CRASHES, NETWORK, TROUBLES, played, run_of
from tether.protocols import easgd_paper
from tether.protocols.easgd_paper_invariants import INVARIANTS, Conservation

DOUBLING = {**NETWORK, "link": [{**NETWORK["link"][0], "duplicate": 0.3, "reorder": 0.3}]}  # type: ignore[index]


def by_parts(seed: int, center: type = easgd_paper.Center) -> dict[str, Any]:
    tables = run_of(seed)
    tables["center"]["actor"], tables["worker"]["actor"] = center, easgd_paper.Worker
    return tables


class Counting(easgd_paper.Center):
    """A center that keeps each difference it is told; no two of a noisy run are the same but 0."""

    def __init__(self, x: Tensor, alpha: float) -> None:
        super().__init__(x, alpha)
        self.added: list[tuple[float, ...]] = []

    async def add(self, d: Tensor) -> int:
        self.added.append(tuple(d.tolist()))
        return await super().add(d)


class Again(easgd_paper.Center):
    """A center that adds a difference twice: planted."""

    async def add(self, d: Any) -> int:
        moves = await super().add(d)
        self.x += d
        return moves


def test_the_invariant_is_conservation() -> None:
    assert (Conservation,) == INVARIANTS


@pytest.mark.parametrize("seed", [0, 1])
def test_p6_a_difference_whose_packets_are_doubled_is_added_once(seed: int) -> None:
    center, simulation = played(by_parts(seed, Counting), DOUBLING)

    to_it = [edge.count for ends, edge in simulation.medium.edges.items() if ends[1] == "center-0"]
    asked = 2 * 4 * 150 + 4  # reads, adds, and a pull of each
    assert sum(count.packets for count in to_it) >= asked
    assert sum(count.doubled for count in to_it) >= asked // 5  # 3 of 10 in the mean
    assert len(center.added) == 4 * 150
    assert len(set(center.added)) == 4 * 150 - 3  # all four begin with a difference of 0
    assert center.moves == 4 * 150
    assert simulation.broken == {}
    assert simulation.declared.leaks == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_p7_what_a_crash_takes_of_an_exchange_is_booked(seed: int) -> None:
    _, simulation = played(by_parts(seed), DOUBLING, {**TROUBLES, **CRASHES})

    assert simulation.broken == {}
    assert any(leak.why.endswith("died") for leak in simulation.declared.leaks)


def test_a_difference_that_is_added_twice_is_told() -> None:
    _, simulation = played(by_parts(0, Again), NETWORK)

    assert any("differences under way is off" in sentence for sentence in simulation.broken)
