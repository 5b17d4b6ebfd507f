from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.protocols.test_downpour import at, half
from tests.simulation import players
from tests.simulation.players import CENTER, NETWORK, Seen, played, run_of
from tether.protocols.downpour import Center, Worker
from tether.protocols.downpour_invariants import INVARIANTS, Conservation
from tether.protocols.invariant import Call, Life
from tether.protocols.quadratic import Quadratic

OFF = "x̃ is off its beginning + Σ v + leaks by"


class Stage:
    """A center at 8, workers there, and the conservation of what they hold; moved by hand."""

    def __init__(self, workers: int = 2) -> None:
        self.view, self.lives = Seen(), dict[str, int]()
        self.conservation = Conservation(self.view)
        self.make(CENTER, 8.0)
        for i in range(workers):
            self.make(f"worker/{i}", 8.0)

    def make(self, name: str, x: float) -> None:
        """Have an actor made, the first time or again."""
        self.lives[name] = self.lives.get(name, 0) + 1
        center = Center(at(x))
        actor = center if name == CENTER else Worker(center, half(x), tau=1, steps=1)
        self.view.actors[name] = actor
        self.conservation.made(Life(name, self.lives[name]), actor)

    def write(self, work: str, change: float, name: str = "worker/0") -> None:
        """Have a worker's x moved by a piece of its learner's work."""
        self.conservation.before(name, work)
        self.view.actors[name].learner.x.add_(change)
        self.conservation.after(name, work)

    def push(self, v: float, name: str = "worker/0", life: int = 0) -> None:
        """Have the center move by a v, and answer it to a worker, or to a former life."""
        self.view.actors[CENTER].x.add_(v)
        call = Call(Life(name, life or self.lives[name]), Life(CENTER, 1), "push", ())
        self.conservation.answered(call, 0)

    def die(self, name: str) -> None:
        """Have an actor die."""
        del self.view.actors[name]

    def check(self) -> str:
        """Return what is wrong."""
        return self.conservation.check()


def test_the_invariant_of_downpour_is_conservation_and_nobody_conserves_nothing() -> None:
    found = [invariant(Seen()) for invariant in INVARIANTS]

    assert [type(each) for each in found] == [Conservation]
    assert found[0].check() == ""


def test_what_is_stepped_is_pushed_once() -> None:
    stage = Stage()

    stage.write("step", -2.0)
    stage.write("step", -1.0)
    held = stage.check()
    stage.push(-3.0)
    stage.write("apply", 0.5)

    assert [held, stage.check()] == ["", ""]
    assert stage.view.leaks == []


ERRORS: dict[str, list[tuple[str, float]]] = {
    "a push is applied twice": [("step", -2.0), ("push", -4.0)],
    "it has the wrong sign": [("step", -1.0), ("push", 1.0)],
    "it was pushed before": [("step", -2.0), ("push", -2.0), ("push", -2.0)],
    "v is not begun anew": [
        ("step", -2.0), ("push", -2.0), ("apply", 0.0), ("step", -1.0), ("push", -3.0),
    ],
    "a step is forgotten": [("step", -2.0), ("step", -1.0), ("push", -1.0)],
}  # fmt: skip


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_told_with_its_size(error: str) -> None:
    stage = Stage()

    for what, amount in ERRORS[error]:
        if what == "push":
            stage.push(amount)
        else:
            stage.write(what, amount)

    assert stage.check() == f"{OFF} 2"
    assert stage.view.leaks == []


def test_numbers_that_are_none_are_told() -> None:
    stage = Stage()

    stage.view.actors[CENTER].x.fill_(torch.nan)

    assert stage.check() == f"{OFF} nan"


def test_only_pushes_that_were_taken_count() -> None:
    stage = Stage()
    worker, center = Life("worker/0", 1), Life(CENTER, 1)
    stage.write("step", -2.0)

    stage.conservation.answered(Call(worker, center, "dated", ()), (3, at(1.0)))
    stage.conservation.answered(Call(worker, center, "push", ()), ValueError("not finite"))

    assert stage.check() == ""
    assert stage.conservation.pushes == 0


def test_actors_that_are_neither_centers_nor_workers_are_left_alone() -> None:
    stage = Stage()

    stage.conservation.made(Life("evaluator/0", 1), object())
    stage.conservation.before("evaluator/0", "step")
    stage.conservation.after("evaluator/0", "step")

    assert stage.check() == ""


def test_a_death_leaks_what_was_stepped_and_not_pushed() -> None:
    stage = Stage()
    stage.write("step", -2.0)
    stage.write("step", -1.0, "worker/1")

    stage.die("worker/0")
    told = [stage.check(), stage.check()]
    stage.make("worker/0", 8.0)
    stage.push(0.0)

    assert [*told, stage.check()] == ["", "", ""]
    assert stage.view.leaks == [("worker/0 died", 2.0)]


def test_a_death_is_seen_also_when_its_actor_is_there_again_at_once() -> None:
    stage = Stage()
    stage.write("step", -2.0)

    stage.make("worker/0", 8.0)

    assert stage.check() == ""
    assert stage.view.leaks == [("worker/0 died", 2.0)]


def test_what_the_dead_have_pushed_comes_and_is_told() -> None:
    stage = Stage()
    stage.write("step", -2.0)
    stage.make("worker/0", 8.0)

    stage.push(-2.0, life=1)

    assert stage.check() == ""
    assert stage.view.leaks == [("worker/0 died", 2.0), ("worker/0 died, and its v came", 2.0)]


def test_who_begins_anew_leaks_what_was_not_pushed() -> None:
    stage = Stage()
    stage.write("step", -2.0)

    stage.write("apply", 2.0)
    stage.push(0.0)

    assert stage.check() == ""
    assert stage.view.leaks == [("worker/0 began anew at x̃", 2.0)]


def test_a_center_that_comes_back_leaks_what_it_has_forgotten() -> None:
    stage = Stage()
    stage.write("step", -2.0)
    stage.push(-2.0)

    stage.die(CENTER)
    dead = stage.check()
    stage.make(CENTER, 8.0)

    assert [dead, stage.check()] == ["", ""]
    assert stage.view.leaks == [(f"{CENTER} came back", 2.0)]


def test_a_worker_that_was_resumed_has_the_v_of_its_checkpoint() -> None:
    stage = Stage()
    worker = Worker(Center(at(8.0)), half(8.0), tau=4, steps=9)
    worker.learner.x.fill_(5.0)
    worker.learner.resumed = True
    stage.view.actors["worker/2"] = worker
    stage.lives["worker/2"] = 1
    stage.conservation.made(Life("worker/2", 1), worker)

    stage.push(-3.0, "worker/2")

    assert stage.check() == ""


# In simulations of whole runs.


class Eager(Center):
    """A center that moves further than it was pushed: planted."""

    async def push(self, v: Tensor) -> int:
        self.x += 0.001
        return await super().push(v)


class Twice(Center):
    """A center that adds each push twice: planted."""

    async def push(self, v: Tensor) -> int:
        self.x += v
        return await super().push(v)


class Hoarding(Worker):
    """A worker that pushes all it has ever learned: planted."""

    async def _pulled(self) -> Tensor:
        start = self.start.clone()
        x = (await super()._pulled()).clone()
        self.start.copy_(start)
        return x


PLANTED = (Eager, Twice, Hoarding)


def downpour(seed: int, planted: type = Quadratic, tau: int = 3) -> dict[str, Any]:
    """Return four workers without order; checkpoints and restarts fit a run of 2 seconds."""
    tables = run_of(seed)
    center = planted if issubclass(planted, Center) else Center
    worker = planted if issubclass(planted, Worker) else Worker
    tables["center"] = {"actor": center, "x": tables["center"]["x"], "max_restarts": 20}
    tables["worker"] |= {"actor": worker, "tau": tau}
    tables["worker"]["learner"]["eta"] = 0.02
    return tables


@pytest.mark.parametrize("seed", range(6))
def test_what_leaks_is_what_deaths_take_and_all_else_is_conserved(seed: int) -> None:
    _, simulation = played(downpour(seed), NETWORK, {**players.TROUBLES, **players.CRASHES})

    returns = Counter(restart.actor for restart in simulation.tally.restarts)
    found = players.leaks(simulation)
    assert simulation.broken == {}
    assert returns.total() >= 3
    assert found.pop("died", Counter()) <= returns
    assert found.pop("came back", Counter()) <= Counter({CENTER: returns[CENTER]})
    assert found.pop("died, and its v came", Counter()) <= returns
    begun = found.pop("began anew at x̃", Counter())
    assert all(begun[actor] <= returns[actor] + returns[CENTER] for actor in begun)
    assert found == {}


@pytest.mark.parametrize("seed", range(6))
def test_pauses_partitions_and_lossy_links_leak_nothing(seed: int) -> None:
    center, simulation = played(downpour(seed), NETWORK, players.TROUBLES)

    assert len(simulation.chaos.strikes) >= 5
    assert simulation.broken == {}
    assert simulation.declared.leaks == []
    assert center.t == 4 * 50


@pytest.mark.parametrize("planted", PLANTED)
def test_an_error_that_is_planted_in_a_run_is_told(planted: type) -> None:
    _, simulation = played(downpour(0, planted), NETWORK)

    assert any(f"Conservation: {OFF}" in sentence for sentence in simulation.broken)


@pytest.mark.parametrize("faults", [{}, players.CRASHES])
def test_roundings_of_32_bits_raise_no_alarm(faults: dict[str, Any]) -> None:
    tables = players.regression_of(tau=2)
    tables["center"] = {"actor": Center, "x": tables["center"]["x"], "max_restarts": 20}
    tables["worker"]["actor"] = Worker

    _, simulation = played(tables, NETWORK, faults)

    assert [report.step for report in simulation.tally.last.values()] == [220] * 2
    assert simulation.broken == {}
    assert bool(simulation.declared.leaks) == bool(faults)
