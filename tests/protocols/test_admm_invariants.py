from __future__ import annotations

import pytest
from torch import Tensor, stack

from tests.simulation.centers import Tables, play
from tests.simulation.players import Seen
from tether.protocols.admm import Center, Worker
from tether.protocols.admm_invariants import INVARIANTS, Turns
from tether.protocols.invariant import Life


class Stubborn(Worker):
    """Moves its multiplier only half as far: planted."""

    async def turn(self, center: Tensor) -> Tensor:
        before = self.multiplier.clone()
        moved = await super().turn(center)
        half = (self.multiplier - before) / 2
        self.multiplier -= half
        return moved + half


class Lying(Worker):
    """Tells what it does not have: planted."""

    async def turn(self, center: Tensor) -> Tensor:
        return await super().turn(center) + 1


PLANTED: list[tuple[Tables, str]] = [
    ({"worker": {"actor": Stubborn}}, "the multiplier of worker/1 is off λ − (x − x̃) by"),
    ({"worker": {"actor": Lying}}, "told what is not its x − λ"),
]


@pytest.mark.parametrize(("planted", "told"), PLANTED)
def test_an_error_that_is_planted_is_told(planted: Tables, told: str) -> None:
    simulation = play("admm", 0, planted, troubled=False).simulation

    assert any(told in sentence for sentence in simulation.broken)


@pytest.mark.parametrize(
    ("each", "x", "told"),
    [
        (0.0, 1.0, "x̃ is not the mean of what it has from each worker"),
        (3.0, 1.0, "what x̃ has from worker 1 is not what that has told"),
    ],
)
def test_a_center_that_is_no_mean_of_what_was_told_is_told(
    each: float, x: float, told: str
) -> None:
    center: Center = play("admm", 0, troubled=False).actors["center/0"]
    view = Seen()
    turns = Turns(view)
    view.actors["center/0"] = center
    turns.made(Life("center/0", 1), center)
    fine = turns.check()

    center.each[1] = center.each[1] + each
    center.x = stack(center.each).mean(0) if each else center.x + x

    assert [fine, turns.check()] == ["", told]


def test_what_deaths_undo_leaks() -> None:
    simulations = [play("admm", seed).simulation for seed in range(3)]

    leaks = [leak.why for each in simulations for leak in each.declared.leaks]
    assert [each.broken for each in simulations] == [{}] * 3
    assert leaks
    assert all(why.endswith("came back") for why in leaks)


def test_the_invariant_is_of_turns_and_leaves_strangers_alone() -> None:
    (turns,) = (each(Seen()) for each in INVARIANTS)

    turns.made(Life("evaluator/0", 1), object())
    turns.before("evaluator/0", "gradient")
    turns.after("evaluator/0", "gradient")

    assert turns.check() == ""
