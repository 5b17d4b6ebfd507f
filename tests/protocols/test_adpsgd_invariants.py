from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.protocols.gossiping import still
from tests.protocols.seeds import all_seeds
from tests.protocols.test_gosgd_invariants import CRASHES, NETWORK, TROUBLES, Seen
from tether.actors import Group
from tether.protocols.adpsgd import Peer
from tether.protocols.adpsgd_invariants import INVARIANTS, Conservation
from tether.protocols.invariant import Call, Life
from tether.protocols.quadratic import Quadratic
from tether.runners import virtual
from tether.runners.simulation import Simulation
from tether.runners.world import BrokenPromise, World

OFF = "Σx − differences under way is off Σ steps + leaks by"


class Stage:
    """Peers, and the conservation of what they hold; all is moved by hand."""

    def __init__(self, *xs: float) -> None:
        self.view = Seen()
        self.conservation = Conservation(self.view)
        for i, x in enumerate(xs):
            self.make(f"peer/{i}", x)

    def make(self, name: str, x: float, incarnation: int = 1) -> None:
        peer = Peer(Group(), still(x), 0)
        self.view.actors[name] = peer
        self.conservation.made(Life(name, incarnation), peer)

    def write(self, name: str, change: float, work: str = "apply") -> None:
        self.conservation.before(name, work)
        self.view.actors[name].learner.x.add_(change)
        self.conservation.after(name, work)

    def answer(self, d: float, source: str = "peer/0", target: str = "peer/1") -> None:
        call = Call(Life(source, 1), Life(target, 1), "average", ())
        self.conservation.answered(call, torch.tensor([d], dtype=torch.float64))

    def check(self) -> str:
        return self.conservation.check()


def test_a_meeting_in_good_order_conserves_the_sum_all_the_time() -> None:
    stage = Stage(8.0, 4.0)

    found = [stage.check()]
    stage.write("peer/1", 2.0)
    found.append(stage.check())
    stage.answer(2.0)
    found.append(stage.check())
    stage.write("peer/0", -2.0)
    stage.write("peer/0", -0.5, "step")
    found.append(stage.check())

    assert found == [""] * 4
    assert stage.view.leaks == []


@pytest.mark.parametrize(("d", "taken"), [(2.0, 2.0), (3.0, -3.0)])
def test_an_error_is_told(d: float, taken: float) -> None:
    stage = Stage(8.0, 4.0)

    stage.write("peer/1", 2.0)
    stage.answer(d)
    stage.view.actors["peer/0"].learner.x.add_(taken)

    assert stage.check().startswith(OFF)


def test_a_death_leaks_x_and_what_was_under_way() -> None:
    stage = Stage(8.0, 4.0)
    stage.write("peer/1", 2.0)
    stage.answer(2.0)

    del stage.view.actors["peer/0"]
    dead = stage.check()
    stage.make("peer/0", 1.0, incarnation=2)

    assert [dead, stage.check()] == ["", ""]
    assert stage.view.leaks == [("peer/0 died", 6.0), ("peer/0 came back", 1.0)]


def test_a_difference_for_one_who_has_died_leaks() -> None:
    stage = Stage(8.0, 4.0)
    stage.write("peer/1", 2.0)
    del stage.view.actors["peer/0"]

    stage.answer(2.0)

    assert stage.check() == ""
    assert ("peer/0 died before its difference came", 2.0) in stage.view.leaks


def test_nobody_and_strangers_conserve_nothing() -> None:
    (invariant,) = (cls(Seen()) for cls in INVARIANTS)

    invariant.made(Life("evaluator/0", 1), object())
    invariant.before("evaluator/0", "step")
    invariant.after("evaluator/0", "step")

    assert invariant.check() == ""


# In simulations of whole runs.


class Repelled(Quadratic):
    """A learner from which differences are taken with the wrong sign: planted."""

    async def apply(self, kernel: Any, *args: Any, **kwargs: Any) -> Any:
        wrong = Tensor.add_ if kernel is Tensor.sub_ else kernel
        return await super().apply(wrong, *args, **kwargs)


def played(seed: int, faults: dict[str, Any], learner: type = Quadratic, **keys: Any) -> Simulation:
    """Run six peers to their end."""
    wiring = tables(seed, learner, **keys)

    async def main() -> Simulation:
        world = World(wiring, "simulated", network=NETWORK, faults=faults)
        with suppress(BrokenPromise):
            async with world:
                await world.finished()
        assert world.simulation is not None
        return world.simulation

    return virtual.run(main())


def tables(seed: int, learner: type = Quadratic, **keys: Any) -> dict[str, Any]:
    """Return six peers; checkpoints and restarts fit a run of a second."""
    quadratic = {
        "make": learner, "n": 8, "eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0,
        "start": 1.0, "seed": "$seed",
    }  # fmt: skip
    peer = {
        "actor": Peer, "count": 6, "peers": "@peer[others]", "learner": quadratic, "steps": 60,
        "max_restarts": 20, **keys,
    }  # fmt: skip
    return {"run": {"seed": seed, "checkpoint": 0.2}, "peer": peer}


@pytest.mark.parametrize("seed", range(3))
def test_pauses_partitions_and_lossy_links_leak_nothing_and_nobody_waits_for_ever(
    seed: int,
) -> None:
    simulation = played(seed, TROUBLES)

    assert simulation.broken == {}
    assert simulation.declared.leaks == []
    assert [report.step for report in simulation.tally.last.values()] == [60] * 6


@pytest.mark.parametrize("seed", range(3))
def test_what_leaks_is_what_deaths_take_and_bring(seed: int) -> None:
    simulation = played(seed, {**TROUBLES, **CRASHES})

    assert simulation.broken == {}
    assert len(simulation.tally.restarts) >= 2
    assert simulation.declared.leaks != []


def test_who_is_left_goes_on_when_others_are_given_up_for_good() -> None:
    simulation = played(0, CRASHES, restart="temporary")

    deaths = [leak for leak in simulation.declared.leaks if leak.why.endswith("died")]
    assert simulation.broken == {}
    assert len(deaths) >= 2
    assert [*simulation.tally.restarts] == []
    assert [report.step for report in simulation.tally.last.values()].count(60) == 6 - len(deaths)


def test_an_error_that_is_planted_in_a_run_is_told() -> None:
    simulation = played(0, {}, Repelled)

    assert any(OFF in sentence for sentence in simulation.broken)


@pytest.mark.soak
def test_a_thousand_seeds_of_adpsgd_conserve_all_but_what_their_deaths_take_and_bring() -> None:
    def wiring(seed: int) -> dict[str, Any]:
        return tables(seed, count=5, steps=40)

    sums = all_seeds("AD-PSGD", wiring, NETWORK, {**TROUBLES, **CRASHES}, "average")

    assert sums["violations"] == 0
