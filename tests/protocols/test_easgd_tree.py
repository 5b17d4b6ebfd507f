"""A tree of nodes, by hand and in simulations."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.protocols.conftest import build
from tests.simulation import players
from tests.simulation.players import AGAIN, TROUBLES, simulate
from tether.actors import Group
from tether.actors.restoring import alone
from tether.protocols.easgd_tree import Node
from tether.protocols.learner import Supervised
from tether.protocols.quadratic import Quadratic, initial
from tether.protocols.resting import Resting
from tether.runners import virtual
from tether.runners.world import World

STEPS = {name: {"step": "10ms"} for name in ("left_leaf", "right_leaf")}
NETWORK = {**players.NETWORK, "compute": STEPS}
Regression = Callable[..., Supervised]
dyadic = st.integers(-(2**10), 2**10).map(lambda n: n / 2**6)


def resting(x: float) -> Resting:
    return Resting(torch.tensor([x], dtype=torch.float64))


class Noting(Node):
    """An inner node that notes what it hears, and from where."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(resting(0.0), 0.5, **arguments)
        self.seen: list[tuple[float, bool]] = []
        self.more = asyncio.Event()

    async def hear(self, y: torch.Tensor, below: bool) -> None:
        self.seen.append((y[0].item(), below))
        self.more.set()

    async def heard(self, count: int) -> None:
        """Wait until this has heard so much."""
        while len(self.seen) < count:
            self.more.clear()
            await self.more.wait()


def leaf(steps: int, eta: float = 0.5, **arguments: Any) -> Node:
    learner = Quadratic(1, eta, h=1.0, sigma=0.0, optimum=0.0, start=8.0, seed=0)
    return Node(learner, 0.5, steps=steps, **arguments)


@given(dyadic, dyadic, st.integers(0, 8).map(lambda n: n / 8))
async def test_a_node_moves_towards_the_state_it_hears(x: float, y: float, alpha: float) -> None:
    node = Node(resting(x), alpha)

    await node.hear(torch.tensor([y], dtype=torch.float64), True)

    assert node.learner.x.item() == x + alpha * (y - x)


async def test_a_leaf_sends_its_state_up_before_every_tau_up_th_step() -> None:
    parent = Noting()
    parent.learner = resting(8.0)

    await leaf(steps=5, parent=parent, tau_up=2).run()

    assert parent.seen == [(8.0, True), (2.0, True), (0.5, True)]


async def test_a_node_sends_down_to_all_its_children_every_tau_down_th_step() -> None:
    children = [Noting(), Noting()]

    await leaf(steps=4, children=Group(children), tau_down=3).run()

    assert [child.seen for child in children] == [[(8.0, False), (1.0, False)]] * 2


async def test_an_inner_node_makes_a_step_with_news_from_below_only() -> None:
    parent, child = Noting(), Noting()
    parent.learner = resting(4.0)
    node = Node(resting(4.0), 0.5, parent=parent, children=Group([child]), tau_up=2)
    life = asyncio.create_task(node.run())

    for count, (y, below) in enumerate(((8.0, True), (2.0, False), (0.0, True)), start=1):
        await child.heard(min(count, 2))
        await node.hear(torch.tensor([y], dtype=torch.float64), below)
    await child.heard(3)
    await parent.heard(2)
    life.cancel()

    assert node.t == 2
    assert child.seen == [(4.0, False), (6.0, False), (2.0, False)]
    assert parent.seen == [(4.0, True), (2.0, True)]


async def test_r1_a_leaf_without_neighbours_is_sgd(regression: Regression) -> None:
    learner, other = regression(momentum=0.9), regression(momentum=0.9)

    await Node(learner, 0.5, steps=12).run()
    for _ in range(12):
        await other.step()

    assert torch.equal(learner.x, other.x)


async def test_r2_with_alpha_zero_nobody_moves_anybody() -> None:
    node = Node(resting(3.0), 0.0)

    await node.hear(torch.tensor([9.0], dtype=torch.float64), True)

    assert node.learner.x.item() == 3.0


async def test_a_state_that_is_not_finite_is_refused_and_x_is_untouched() -> None:
    node = Node(resting(3.0), 0.5)

    with pytest.raises(ValueError, match=r"the elastic difference .* 1 of 1 numbers NaN"):
        await node.hear(torch.tensor([float("nan")], dtype=torch.float64), True)

    assert node.learner.x.item() == 3.0


@pytest.mark.parametrize("name", ["tau_up", "tau_down"])
def test_a_period_below_one_step_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0, but a period of 1 step or more is wanted"):
        Node(resting(0.0), 0.5, **{name: 0})  # type: ignore[arg-type]


async def test_a_leaf_goes_on_bit_for_bit_as_if_never_interrupted() -> None:
    def made(steps: int, seed: int = 0) -> Node:
        return Node(build(momentum=0.9, dropout=0.5, seed=seed), 0.5, steps=steps)

    whole, first, second = made(9), made(4), made(9, seed=5)
    await whole.run()
    await first.run()

    second.load_state_dict(first.state_dict())
    await second.run()

    assert second.t == 9
    assert torch.equal(second.learner.x, whole.learner.x)


async def unmoved(gradient: Tensor | None = None) -> None:
    """Make no step."""


async def test_who_comes_back_alone_begins_at_the_parent_and_the_root_at_its_checkpoint() -> None:
    root, inner = Node(resting(5.0), 0.5), Node(resting(7.0), 0.5)
    again, below = Node(resting(0.0), 0.5), Node(resting(0.0), 0.5, parent=root, steps=1)

    with alone():
        again.load_state_dict(root.state_dict())
        below.load_state_dict(inner.state_dict())
    below.learner.step = unmoved  # type: ignore[method-assign]
    await below.run()

    assert again.learner.x.item() == 5.0
    assert below.learner.x.item() == 5.0


def tree(sigma: float, start: float = 1.0, *, h: float = 1.0) -> dict[str, Any]:
    """Return a root, two inner nodes and four leaves on a noisy quadratic."""
    quadratic = {
        "make": Quadratic, "n": 4, "eta": 0.1, "h": h, "sigma": sigma, "optimum": 0.0,
        "start": start, "seed": "$seed",
    }  # fmt: skip
    x = {"make": Resting, "x": {"make": initial, "n": 4, "start": 1.0}}
    inner = {"actor": Node, "restart": "permanent", "alpha": 0.3, "learner": x}
    tables: dict[str, Any] = {
        "run": {"checkpoint": 0.3},
        "center": {**inner, "children": ["@left", "@right"]},
    }
    for side in ("left", "right"):
        tables[side] = {**inner, "parent": "@center", "children": f"@{side}_leaf[*]", "tau_up": 4}
        tables[f"{side}_leaf"] = {
            "actor": Node, "count": 2, "alpha": 0.3, "parent": f"@{side}", "tau_up": 2,
            "steps": 60, "learner": quadratic, "max_restarts": 20,
        }  # fmt: skip
        tables[side]["max_restarts"] = 20
    tables["center"]["max_restarts"] = 20
    return tables


def test_the_root_of_a_tree_learns_what_the_leaves_learn() -> None:
    root, _ = simulate(tree(sigma=0.0), NETWORK)

    assert 0 < root.learner.x.max().item() < 0.2


FAULTS: dict[str, list[dict[str, Any]]] = {
    "link": TROUBLES["link"],
    "crash": [{**AGAIN, "at": "0.4s", "times": 3, "actor": ["left", "left_leaf"]}],
}


def test_p5_all_at_one_point_stay_there_whatever_is_lost_and_whoever_dies() -> None:
    async def main() -> list[float]:
        world = World(tree(sigma=0.0, h=0.0), "simulated", network=NETWORK, faults=FAULTS)
        async with world:
            await world.finished()
            assert world.simulation is not None
            actors = world.simulation.actors().values()
            return [x for node in actors for x in node.learner.x.tolist()]

    assert set(virtual.run(main())) == {1.0}


def test_p3_without_gradients_nobody_leaves_the_hull_whatever_is_lost_and_whoever_dies() -> None:
    async def main() -> list[float]:
        tables = tree(sigma=0.0, h=0.0)
        tables["left"]["learner"]["x"] = {"make": initial, "n": 4, "start": -3.0}
        world = World(tables, "simulated", network=NETWORK, faults=FAULTS)
        async with world:
            await world.finished()
            assert world.simulation is not None
            actors = world.simulation.actors().values()
            return [x for node in actors for x in node.learner.x.tolist()]

    found = virtual.run(main())

    assert -3.0 <= min(found) <= max(found) <= 1.0
