"""What is seen of three learners apart."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tether.protocols.learner import Learning
from tether.protocols.observer import Observer, disagreement
from tether.protocols.quadratic import Quadratic
from tether.runners.world import World

START: dict[str, Any] = {"n": 4, "eta": 0.1, "h": 1.0, "sigma": 0.0, "optimum": 0.0, "seed": 0}


class Peer(Learning):
    """Begins at its own index in all coordinates."""

    def __init__(self, index: int) -> None:
        self.learner = Quadratic(start=float(index), **START)


def test_disagreement_is_the_distance_of_each_from_the_mean() -> None:
    xs = [torch.tensor([0.0, 0.0]), torch.tensor([6.0, 0.0]), torch.tensor([0.0, 3.0])]

    found = disagreement(xs)  # the mean is (2, 1)

    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([5**0.5, 17**0.5, 8**0.5])


def test_those_that_agree_are_not_apart() -> None:
    assert disagreement([torch.full((3,), 0.1)] * 4).tolist() == [0.0] * 4


async def test_a_group_is_looked_at_as_it_is() -> None:
    tables: dict[str, Any] = {
        "peer": {"actor": Peer, "count": 3, "index": "$index"},
        "observer": {"actor": Observer, "peers": "@peer[*]", "every": 60.0, "restart": "permanent"},
    }
    async with World(tables, "local") as world:
        seen = await world.ref(Observer, "observer").look()

    assert seen == {"apart": pytest.approx(4 / 3), "furthest": pytest.approx(2.0)}  # of 0, 1, 2
