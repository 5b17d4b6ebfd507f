from __future__ import annotations

from tests.simulation.centers import play
from tether.protocols.aggregator_invariants import Rounds
from tether.protocols.diloco_invariants import INVARIANTS


def test_the_invariant_of_diloco_is_that_of_all_who_average() -> None:
    assert (Rounds,) == INVARIANTS


def test_without_a_death_fragments_under_way_break_and_leak_nothing() -> None:
    played = play("diloco", 1, troubled=False)

    assert played.simulation.broken == {}
    assert played.simulation.declared.leaks == []
    assert played.exchanges == 2 * 3 * 3
