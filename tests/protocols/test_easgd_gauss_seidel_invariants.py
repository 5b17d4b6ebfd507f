from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.simulation.centers import Tables, play, quadratic
from tests.simulation.players import Seen
from tether.actors import Group
from tether.protocols.easgd_gauss_seidel import Center
from tether.protocols.easgd_gauss_seidel_invariants import INVARIANTS, Moves
from tether.protocols.invariant import Life
from tether.protocols.quadratic import Quadratic


class Repelled(Quadratic):
    """A learner to which differences are applied with the wrong sign: planted."""

    async def apply(self, kernel: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        wrong = Tensor.add_ if kernel is Tensor.sub_ else kernel
        return await super().apply(wrong, *args, **kwargs)


PLANTED: list[tuple[Tables, str]] = [
    ({"worker": quadratic(make=Repelled)}, "moved towards what was no x̃"),
]


@pytest.mark.parametrize(("planted", "told"), PLANTED)
def test_an_error_that_is_planted_is_told(planted: Tables, told: str) -> None:
    simulation = play("easgd_gauss_seidel", 0, planted, troubled=False).simulation

    assert any(told in sentence for sentence in simulation.broken)


class Stage:
    """A center at 8 and the moves that it may make; moved by hand."""

    def __init__(self) -> None:
        self.view = Seen()
        self.moves = Moves(self.view)
        self.center = Center(torch.tensor([8.0]).double(), 0.25, Group(), 1)
        self.view.actors["center/0"] = self.center
        self.moves.made(Life("center/0", 1), self.center)

    def move(self, change: float) -> str:
        self.moves.before("center/0", "apply")
        self.center.learner.x.add_(change)
        self.moves.after("center/0", "apply")
        return self.moves.check()


@pytest.mark.parametrize(
    ("change", "told"),
    [(-1.0, ""), (0.0, ""), (1.0, "x̃ is off the sum of the workers' differences by 1")],
)
def test_a_center_moves_by_those_who_told_or_by_less_of_them(change: float, told: str) -> None:
    stage = Stage()
    stage.moves.told[Life("worker/0", 1)] = torch.tensor([4.0]).double()

    assert stage.move(change) == told


def test_a_center_that_moves_by_itself_is_told() -> None:
    stage = Stage()
    stage.center.learner.x.add_(1.0)

    assert stage.moves.check() == "x̃ was moved, but not by the workers"


def test_the_invariant_is_of_moves_and_leaves_strangers_alone() -> None:
    (moves,) = (each(Seen()) for each in INVARIANTS)

    moves.made(Life("evaluator/0", 1), object())
    moves.before("evaluator/0", "apply")
    moves.after("evaluator/0", "apply")

    assert moves.check() == ""
