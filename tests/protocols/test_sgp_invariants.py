from __future__ import annotations

from math import fsum
from typing import Any

import pytest

from tests.protocols.seeds import all_seeds
from tests.protocols.test_gosgd_invariants import (
    CRASHES,
    NETWORK,
    TROUBLES,
    left,
    played,
    tables,
    weight,
)
from tether.protocols import gosgd_invariants, sgp
from tether.protocols.sgp_invariants import INVARIANTS


def test_the_invariant_of_sgp_is_that_of_all_gossip_by_sum_weights() -> None:
    assert gosgd_invariants.INVARIANTS == INVARIANTS


@pytest.mark.parametrize("tau", [0, 2])
def test_sgp_conserves_its_sums_among_pauses_and_lossy_links(tau: int) -> None:
    hops = ["@peer[+1]", "@peer[+2]", "@peer[+4]"]

    simulation, conservation, actors = played(tables(tau, sgp.Peer, peers=hops, tau=tau), TROUBLES)

    assert simulation.broken == {}
    assert simulation.declared.leaks == []
    assert {actor.t for actor in actors.values()} == {80}
    assert float(left(conservation, actors)) == pytest.approx(8, abs=2.0**-44)


def test_sgp_goes_on_after_deaths_and_books_what_they_take_away() -> None:
    hops = ["@peer[+1]", "@peer[+2]", "@peer[+4]"]

    simulation, conservation, actors = played(tables(1, sgp.Peer, peers=hops), CRASHES)

    leaks = fsum(leak.size for leak in simulation.declared.leaks)
    assert simulation.broken == {}
    assert len(simulation.tally.restarts) >= 2
    assert float(left(conservation, actors)) + leaks == pytest.approx(8.0, abs=2.0**-44)


@pytest.mark.soak
def test_a_thousand_seeds_of_sgp_conserve_all_but_what_their_deaths_take_away() -> None:
    hops = ["@peer[+1]", "@peer[+2]"]

    def wiring(seed: int) -> dict[str, Any]:
        return tables(seed, sgp.Peer, count=5, steps=40, peers=hops, tau=seed % 3)

    sums = all_seeds("SGP", wiring, NETWORK, {**TROUBLES, **CRASHES}, "push", weight, total=5.0)

    assert sums["violations"] == 0
