from __future__ import annotations

import pytest
from torch import Tensor

from tests.simulation.centers import Tables, play
from tests.simulation.players import Seen
from tether.protocols.invariant import Life
from tether.protocols.mdownpour import Center
from tether.protocols.mdownpour_invariants import INVARIANTS, Conservation

OFF = "x̃ and v are off their beginning − ηΣg by"


class Printed(Center):
    """Makes the step as the paper has printed it, without −ηg: planted."""

    async def push(self, g: Tensor) -> int:
        before = await super().push(g)
        self.x.add_(g, alpha=self.eta)
        return before


class Twice(Center):
    """Takes each gradient twice: planted."""

    async def push(self, g: Tensor) -> int:
        await super().push(g)
        return await super().push(g)


PLANTED: list[Tables] = [{"center": {"actor": Printed}}, {"center": {"actor": Twice}}]


@pytest.mark.parametrize("planted", PLANTED)
def test_an_error_that_is_planted_is_told(planted: Tables) -> None:
    simulation = play("mdownpour", 0, planted, troubled=False).simulation

    assert any(OFF in sentence for sentence in simulation.broken)


def test_without_a_death_nothing_leaks() -> None:
    played = play("mdownpour", 0, troubled=False)

    assert played.simulation.broken == {}
    assert played.simulation.declared.leaks == []
    assert played.actors["center/0"].t == 3 * 12


def test_what_leaks_is_what_a_center_forgets_and_what_the_dead_have_measured() -> None:
    simulations = [play("mdownpour", seed).simulation for seed in range(3)]

    leaks = [leak.why for each in simulations for leak in each.declared.leaks]
    assert [each.broken for each in simulations] == [{}] * 3
    assert leaks
    assert all(why.endswith(("came back", "died with a gradient")) for why in leaks)


def test_the_invariant_is_conservation_and_nobody_conserves_nothing() -> None:
    (conservation,) = (each(Seen()) for each in INVARIANTS)

    conservation.made(Life("evaluator/0", 1), object())
    conservation.before("evaluator/0", "gradient")
    conservation.after("evaluator/0", "gradient")

    assert isinstance(conservation, Conservation)
    assert conservation.check() == ""
