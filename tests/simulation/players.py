"""EASGD on a noisy quadratic, in simulated worlds and by hand: centers, learners, runs, a stage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from tests.protocols.conftest import build
from tether.actors import Group
from tether.protocols import easgd_synchronous
from tether.protocols.easgd import Center, Worker
from tether.protocols.easgd_invariants import Conservation
from tether.protocols.invariant import Call, Life
from tether.protocols.learner import Supervised
from tether.protocols.quadratic import Quadratic, initial
from tether.protocols.resting import Resting
from tether.runners import virtual
from tether.runners.simulation import Simulation
from tether.runners.world import BrokenPromise, World

CENTER = "center/0"
TURN = 10
"""Milliseconds of virtual time from one worker's turn to the next one's."""
NETWORK = {
    "line": "1ms",
    "link": [{"latency": {"uniform": ["0.1ms", "2ms"]}}],
    "compute": {"worker": {"uniform": ["5ms", "20ms"]}},
}
"""Workers are in no order, but all begin before the first gradient is there."""
AGAIN = {"at": "0.3s", "every": {"exponential": "0.3s"}, "times": 4}
TROUBLES: dict[str, list[dict[str, Any]]] = {
    "pause": [{**AGAIN, "for": "0.1s", "actor": name} for name in ("worker", "center")],
    "partition": [{**AGAIN, "times": 2, "for": "0.2s", "between": ["worker", "center"]}],
    "link": [{**AGAIN, "for": "0.2s", "loss": 0.2, "duplicate": 0.1, "reorder": 0.1}],
}
"""Faults without a death."""
CRASHES: dict[str, list[dict[str, Any]]] = {
    "crash": [
        {"at": "0.5s", "every": {"exponential": "0.5s"}, "times": 3, "actor": "worker"},
        {"at": {"uniform": ["0.5s", "1.5s"]}, "actor": "center"},
    ],
}


class Noting(Center):
    """A center that notes of each exchange what both sides hold before it: x, x̃."""

    def __init__(self, x: Tensor, alpha: float) -> None:
        super().__init__(x, alpha)
        self.seen: list[tuple[float, float]] = []

    async def exchange(self, x: Tensor) -> Tensor:
        self.seen.append((x[0].item(), self.x[0].item()))
        return await super().exchange(x)


class Remembering(Resting):
    """A center's variable that remembers what it was before each of its moves."""

    def __init__(self, x: Tensor) -> None:
        super().__init__(x)
        self.seen: list[Tensor] = []

    async def apply(self, kernel: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if args:  # or else nothing moves it
            self.seen.append(self.x.clone())
        return await super().apply(kernel, *args, **kwargs)


class Synchronous(easgd_synchronous.Center):
    """A center of workers in step that notes x̃ before each step."""

    def __init__(
        self,
        x: Tensor,
        alpha: float,
        workers: Group[easgd_synchronous.Worker],
        steps: int,
        patience: float = 60.0,
    ) -> None:
        super().__init__(x, alpha, workers, steps, patience)
        self.learner: Remembering = Remembering(x)

    @property
    def seen(self) -> list[Tensor]:
        return self.learner.seen


class Eager(Center):
    """A center that moves further than it answers: planted."""

    async def exchange(self, x: Tensor) -> Tensor:
        d = await super().exchange(x)
        self.x += 0.001
        return d


class Twice(Quadratic):
    """A learner to which each difference is applied twice: planted."""

    async def apply(self, kernel: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        await super().apply(kernel, *args, **kwargs)
        return await super().apply(kernel, *args, **kwargs)


class Repelled(Quadratic):
    """A learner to which differences are applied with the wrong sign: planted."""

    async def apply(self, kernel: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        wrong = Tensor.add_ if kernel is Tensor.sub_ else kernel
        return await super().apply(wrong, *args, **kwargs)


class Restless(Quadratic):
    """A learner that writes its x where nobody expects it: planted."""

    async def gradient(self, at: Tensor | None = None, batch: Any = None) -> Tensor:
        self.x.add_(0.001)
        return await super().gradient(at, batch)


PLANTED = (Eager, Twice, Repelled, Restless)


def wiring(
    center: Mapping[str, Any],
    p: int,
    steps: int,
    eta: float,
    *,
    h: float = 1.0,
    sigma: float = 0.0,
    n: int = 1,
    start: float = 1.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the tables of p workers with τ = 1 and their center, all at `start`; x* is 0."""
    quadratic = {"make": Quadratic, "n": n, "eta": eta, "h": h, "sigma": sigma}
    return {
        "run": {"seed": seed},
        "center": {"x": {"make": initial, "n": n, "start": start}, **center},
        "worker": {
            "actor": Worker,
            "count": p,
            "center": "@center",
            "learner": {**quadratic, "optimum": 0.0, "start": start, "seed": "$seed"},
            "tau": 1,
            "steps": steps,
        },
    }


def synchronous(alpha: float, p: int, steps: int, eta: float, **rest: Any) -> dict[str, Any]:
    """Return the same with p workers in step."""
    center = {"actor": Synchronous, "alpha": alpha, "workers": "@worker[*]", "steps": steps}
    tables = wiring(center, p, steps, eta, **rest)
    learner = tables["worker"]["learner"]
    return tables | {"worker": {"actor": easgd_synchronous.Worker, "count": p, "learner": learner}}


def run_of(seed: int, planted: type = Quadratic) -> dict[str, Any]:
    """Return four workers without order, with a center or a learner that may be planted.

    Checkpoints and restarts fit a run of 2 seconds.
    """
    center = planted if issubclass(planted, Center) else Center
    tables = wiring({"actor": center, "alpha": 0.2}, 4, 150, 0.1, sigma=0.7, n=8, seed=seed)
    tables["run"]["checkpoint"] = 0.3
    tables["center"]["max_restarts"] = tables["worker"]["max_restarts"] = 20
    if issubclass(planted, Quadratic):
        tables["worker"]["learner"]["make"] = planted
    return tables


def regression(seed: int) -> Supervised:
    """Return a regression of 26 numbers of 32 bits, with an order of batches of its own."""
    return build(seed=seed)


def first_x() -> Tensor:
    """Return where the regression begins."""
    return build().x


def regression_of(tau: int) -> dict[str, Any]:
    """Return two workers that learn the regression."""
    tables = run_of(0)
    tables["center"]["x"] = {"make": first_x}
    learner = {"make": regression, "seed": "$index"}
    tables["worker"] |= {"learner": learner, "tau": tau, "steps": 220, "count": 2}
    return tables


def in_step() -> dict[str, Any]:
    """Return a network in which all workers begin at once, and make their steps at once."""
    return {"line": "1ms", "compute": {"worker": f"{TURN}ms"}}


def in_turn(p: int, steps: int) -> dict[str, Any]:
    """Return a network in which worker t mod p, and nobody else, exchanges and steps at turn t.

    Worker i takes i turns for what it begins with, x̃, and then p turns for each gradient.
    """
    compute = {
        f"worker/{i}": {
            "gradient": f"{p * TURN}ms",
            "apply": {"trace": [f"{i * TURN}ms", *["0s"] * steps]},
        }
        for i in range(p)
    }
    return {"line": "1ms", "compute": compute}


def played(
    tables: Mapping[str, Any],
    network: Mapping[str, Any] | None = None,
    faults: Mapping[str, Any] | None = None,
) -> tuple[Any, Simulation]:
    """Run actors to their end; return the center as it is then, and the simulation.

    What is broken is left to the caller to look at.
    """

    async def main() -> tuple[Any, Simulation]:
        world = World(tables, "simulated", network=network, faults=faults)
        with suppress(BrokenPromise):
            async with world:
                await world.finished()
                assert world.simulation is not None
                center = world.simulation.actors()[CENTER]
        assert world.simulation is not None
        return center, world.simulation

    return virtual.run(main())


def simulate(tables: Mapping[str, Any], network: Mapping[str, Any]) -> tuple[Any, Simulation]:
    """Do the same where no promise may be broken and nothing may leak."""
    center, simulation = played(tables, network)
    assert simulation.broken == {}
    assert simulation.declared.leaks == []
    return center, simulation


class Seen:
    """A simulation by hand: who lives, and what has leaked."""

    def __init__(self) -> None:
        self.actors: dict[str, Any] = {}
        self.leaks: list[tuple[str, float]] = []

    def under_way(self) -> Iterator[Call]:
        return iter(())

    def unbegun(self) -> Iterator[Call]:
        return self.under_way()

    def leak(self, why: str, size: float) -> None:
        self.leaks.append((why, size))


class Stage:
    """A center, workers, and the conservation of what they hold; all is moved by hand."""

    def __init__(self, center: float, *workers: float) -> None:
        self.view, self.lives = Seen(), dict[str, int]()
        self.conservation = Conservation(self.view)
        self.make(CENTER, center)
        for i, x in enumerate(workers):
            self.make(f"worker/{i}", x)
            self.write("apply", 0.0, f"worker/{i}")

    def make(self, name: str, x: float) -> None:
        """Have an actor made, the first time or again."""
        self.lives[name] = self.lives.get(name, 0) + 1
        actor: Center | Worker = Center(torch.tensor([x], dtype=torch.float64), alpha=0.25)
        if name != CENTER:
            learner = Quadratic(1, eta=0.5, h=1.0, sigma=0.0, optimum=0.0, start=x, seed=0)
            actor = Worker(Center(learner.x, alpha=0.25), learner, tau=1, steps=1)
        self.view.actors[name] = actor
        self.conservation.made(Life(name, self.lives[name]), actor)

    def x(self, name: str) -> Tensor:
        """Return a variable, to be written."""
        actor = self.view.actors[name]
        x: Tensor = actor.x if isinstance(actor, Center) else actor.learner.x
        return x

    def answer(self, d: float, name: str = "worker/0", *, life: int = 0) -> None:
        """Have the center move by a difference, and answer it to a worker, or to a former life."""
        self.x(CENTER).add_(d)
        call = Call(Life(name, life or self.lives[name]), Life(CENTER, 1), "exchange", ())
        self.conservation.answered(call, torch.tensor([d], dtype=torch.float64))

    def write(self, work: str, change: float, name: str = "worker/0") -> None:
        """Have a worker's x moved by a piece of its learner's work."""
        self.conservation.before(name, work)
        self.x(name).add_(change)
        self.conservation.after(name, work)

    def move(self, what: str, amount: float) -> None:
        """Have an answer of the center, a piece of a worker's work, or somebody by himself move."""
        if what == "answer":
            self.answer(amount)
        elif what in self.lives:
            self.x(what).add_(amount)
        else:
            self.write(what, amount)

    def die(self, name: str) -> None:
        """Have an actor die."""
        del self.view.actors[name]

    @property
    def moved(self) -> list[float]:
        """Σ(steps) + Σ(leaks), with what all began with."""
        moved = self.conservation.moved
        assert isinstance(moved, Tensor)
        return moved.tolist()

    def check(self) -> str:
        """Return what is wrong."""
        return self.conservation.check()

    def happen(self, event: str, name: str) -> None:
        """Have something happen to a worker as the runtime and the protocol have it happen."""
        under_way = self.conservation.under_way.get(name)
        if event == "step":
            self.write("step", -0.5 * self.x(name).item(), name)
        elif event == "answer" and under_way is None:
            self.answer(0.25 * (self.x(name) - self.x(CENTER)).item(), name)
        elif event == "apply" and under_way is not None:
            self.write("apply", -under_way.item(), name)
        elif event.startswith("death"):
            self.die(name)
            if event.endswith("answer"):
                self.answer(0.5, name)
            self.make(name, 1.0)
            self.write("apply", (self.x(CENTER) - self.x(name)).item(), name)
        elif event == "new center":
            self.die(CENTER)
            self.make(CENTER, 3.0)


def leaks(simulation: Simulation) -> defaultdict[str, Counter[str]]:
    """Return for each reason why something leaked how often it did, by actor."""
    found = defaultdict[str, Counter[str]](Counter)
    for leak in simulation.declared.leaks:
        actor, _, what = leak.why.partition(" ")
        found[what][actor] += 1
    return found
