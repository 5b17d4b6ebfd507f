from __future__ import annotations

import pytest
import torch

from tests.simulation.centers import play
from tests.simulation.players import Seen
from tether.protocols.easgd_tree import Node
from tether.protocols.easgd_tree_invariants import INVARIANTS, Approaches, approached
from tether.protocols.invariant import Life
from tether.protocols.quadratic import Quadratic


class Repelled(Node):
    """Goes the wrong way: planted."""

    async def hear(self, y: torch.Tensor, below: bool) -> None:
        await super().hear(2 * self.learner.x - y, below)


def test_a_node_that_goes_the_wrong_way_is_told() -> None:
    simulation = play("easgd_tree", 0, {"left": {"actor": Repelled}}, troubled=False).simulation

    assert any(
        "moved towards what no neighbour of it has had" in each for each in simulation.broken
    )


def test_a_node_that_moves_by_itself_is_told() -> None:
    view = Seen()
    (approaches,) = (each(view) for each in INVARIANTS)
    node = Node(Quadratic(1, 0.5, h=1.0, sigma=0.0, optimum=0.0, start=8.0, seed=0), 0.5, steps=1)
    view.actors["leaf/0"] = node
    approaches.made(Life("leaf/0", 1), node)

    found = approaches.check()
    node.learner.x.add_(1.0)

    assert [found, approaches.check()] == ["", "leaf/0 moved by itself"]


@pytest.mark.parametrize(
    ("x", "fits"), [(8.0, True), (4.0, True), (5.0, True), (2.0, True), (6.0, False)]
)
def test_a_move_is_to_a_state_or_part_of_the_way_there(x: float, fits: bool) -> None:
    before, ys = (
        torch.tensor([4.0]).double(),
        [torch.tensor([each]).double() for each in (8.0, 2.0, 4.0)],
    )

    assert approached(before, torch.tensor([x]).double(), ys, alpha=0.25, epsilon=2.0**-52) == fits
    assert not approached(before, torch.tensor([x]).double(), [], alpha=0.25, epsilon=2.0**-52)


def test_strangers_are_left_alone_and_what_deaths_move_is_booked() -> None:
    approaches = Approaches(Seen())

    approaches.made(Life("evaluator/0", 1), object())
    leaks = [
        each.why for seed in range(4) for each in play("easgd_tree", seed).simulation.declared.leaks
    ]

    assert approaches.check() == ""
    assert leaks
    assert all(why.endswith(("came back", "began anew")) for why in leaks)
