from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.simulation import players
from tests.simulation.players import NETWORK
from tether.actors import Group, Ref
from tether.protocols.aggregator import Aggregator
from tether.protocols.invariant import Life
from tether.protocols.local_sgd import Worker
from tether.protocols.local_sgd_invariants import INVARIANTS, Averages
from tether.protocols.quadratic import Quadratic, initial
from tether.protocols.rounds import Member, Round, Told
from tether.runners import virtual
from tether.runners.simulation import Simulation
from tether.runners.world import BrokenPromise, World

AGGREGATOR = "aggregator/0"


def of_aggregator(faults: dict[str, Any]) -> dict[str, Any]:
    """Return the faults of EASGD's simulations, for an aggregator instead of a center."""
    renamed: dict[str, Any] = json.loads(json.dumps(faults).replace("center", "aggregator"))
    return renamed


TROUBLES, CRASHES = of_aggregator(players.TROUBLES), of_aggregator(players.CRASHES)


def tables(
    seed: int, aggregator: type = Aggregator, learner: type = Quadratic, steps: int = 100
) -> dict[str, Any]:
    noise = {"n": 4, "eta": 0.1, "h": 1.0, "sigma": 0.7, "optimum": 0.0}
    made = {"make": learner, **noise, "start": 1.0, "seed": "$seed"}
    return {
        "run": {"seed": seed, "checkpoint": 0.3},
        "aggregator": {
            "actor": aggregator, "c": {"make": initial, "n": 4, "start": 1.0},
            "workers": "@worker[*]", "H": 5, "max_restarts": 20,
        },
        "worker": {
            "actor": Worker, "count": 4, "aggregator": "@aggregator", "me": "@me",
            "learner": made, "steps": steps, "patience": 0.5, "max_restarts": 20,
        },
    }  # fmt: skip


def simulated(
    tables: dict[str, Any],
    faults: dict[str, Any] | None = None,
    network: dict[str, Any] = NETWORK,
) -> tuple[dict[str, Any], Simulation]:
    """Run to the end; return the actors there are then, and the simulation."""

    async def main() -> tuple[dict[str, Any], Simulation]:
        world = World(tables, "simulated", network=network, faults=faults)
        actors: dict[str, Any] = {}
        with suppress(BrokenPromise):
            async with world:
                await world.finished()
                assert world.simulation is not None
                actors = dict(world.simulation.actors())
        assert world.simulation is not None
        return actors, world.simulation

    return virtual.run(main())


def agreed(actors: dict[str, Any]) -> bool:
    """Return whether all have come to the end and stand at the same c."""
    workers = [actor for name, actor in actors.items() if name.startswith("worker")]
    c = actors[AGGREGATOR].c
    return all(w.t == w.steps and torch.equal(w.learner.x, c) for w in workers)


def test_the_invariant_of_local_sgd_is_that_it_averages() -> None:
    assert [each.__name__ for each in INVARIANTS] == [Averages.__name__]


@pytest.mark.parametrize("seed", range(3))
def test_pauses_partitions_and_lossy_links_break_and_leak_nothing_but_what_is_late(
    seed: int,
) -> None:
    actors, simulation = simulated(tables(seed), TROUBLES)

    assert simulation.broken == {}
    assert agreed(actors)
    assert all(leak.why.endswith("came late") for leak in simulation.declared.leaks)


@pytest.mark.parametrize("seed", range(3))
def test_crashes_leak_what_they_take_and_all_end_at_the_same_c(seed: int) -> None:
    actors, simulation = simulated(tables(seed), {**TROUBLES, **CRASHES})

    returns = Counter(restart.actor for restart in simulation.tally.restarts)
    found = Counter(leak.why.rpartition(" ")[2] for leak in simulation.declared.leaks)
    assert simulation.broken == {}
    assert returns.total() >= 3
    assert agreed(actors)
    assert set(found) <= {"late", "died", "back"}


@pytest.mark.soak
@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in range(0, 1000, 100)])
def test_a_thousand_seeds_keep_what_local_sgd_promises(seeds: range) -> None:
    for seed in seeds:
        actors, simulation = simulated(tables(seed, steps=60), {**TROUBLES, **CRASHES})

        assert (seed, simulation.broken) == (seed, {})
        assert agreed(actors)


class Eager(Aggregator):
    """Moves c further than the mean: planted."""

    def _moved(self, done: Round) -> None:
        super()._moved(done)
        self.c += 0.001


class Forgetful(Aggregator):
    """Averages without one of those who were there: planted."""

    def _moved(self, done: Round) -> None:
        super()._moved(done._replace(D=done.D * 0.75))


class Restless(Aggregator):
    """Moves c when somebody joins: planted."""

    async def join(self) -> tuple[int, int, Tensor]:
        self.c += 0.001
        return await super().join()


class Accepting(Aggregator):
    """Takes what comes late, and what is only half of it: planted."""

    async def hand(self, member: Ref[Member], told: Told, D: Tensor, beside: Tensor | None) -> bool:
        return await super().hand(member, told, D / 2, beside)


class Deviating(Quadratic):
    """Does not go on from the bits that came: planted."""

    async def apply(self, kernel: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        def further(x: Tensor, c: Tensor) -> None:
            x.copy_(c).add_(0.001)

        await super().apply(further, *args, **kwargs)


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ({"aggregator": Eager}, "c is off the mean of what was handed over by 0.001"),
        ({"aggregator": Forgetful}, "c is off the mean of what was handed over"),
        ({"aggregator": Accepting}, "c is off the mean of what was handed over"),
        ({"aggregator": Restless}, "goes on from what no aggregator has held"),
        ({"learner": Deviating}, "goes on from what no aggregator has held"),
    ],
)
def test_an_error_that_is_planted_is_told(planted: dict[str, type], told: str) -> None:
    _, simulation = simulated(tables(0, **planted, steps=20))

    assert any(told in sentence for sentence in simulation.broken)


def test_actors_that_are_neither_are_left_alone() -> None:
    view = players.Seen()
    averages = Averages(view)
    view.actors["evaluator/0"] = object()

    averages.made(Life("evaluator/0", 1), view.actors["evaluator/0"])
    averages.before("evaluator/0", "step")
    averages.after("evaluator/0", "step")

    assert averages.check() == ""


def test_a_c_that_moves_between_rounds_is_told() -> None:
    view = players.Seen()
    averages, aggregator = Averages(view), Aggregator(torch.zeros(2), Group(), 1)
    view.actors[AGGREGATOR] = aggregator
    averages.made(Life(AGGREGATOR, 1), aggregator)

    found = averages.check()
    aggregator.c += 1

    assert [found, averages.check()] == ["", "c was moved, but not by a round"]
