from __future__ import annotations

from math import fsum

import pytest

from tests.protocols.test_gosgd_invariants import (
    CRASHES,
    TROUBLES,
    left,
    played,
    tables,
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
