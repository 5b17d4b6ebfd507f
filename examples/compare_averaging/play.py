"""One training of the comparison: simulated, or with real processes.

`python play.py` reads one as JSON from each line of its input, and answers each with a line of what
came of it: several such processes share a comparison.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import task
import torch
from torch import Tensor

from tether.protocols.evaluator import Source
from tether.runners import virtual
from tether.runners.wiring import read
from tether.runners.world import World

HERE = Path(__file__).parent
NETWORK: Mapping[str, Any] = {"compute": {"worker": {"uniform": ["8ms", "12ms"]}}}
"""A gradient takes about 10 ms: who comes first is not always the same."""
LOST = {"error": 0.9, "loss": math.inf}
"""What a training has come to whose numbers are none any more."""


@dataclass(frozen=True, slots=True)
class Training:
    """A wiring beside this file, what is changed in it, its network, and the seed of all."""

    wiring: str
    sets: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=lambda: NETWORK)
    kind: str = "simulated"
    every: float = 0.1
    """Seconds of virtual time from one look at the learners to the next."""
    seed: int = 0

    def options(self) -> list[str]:
        """Return what is changed as World takes it, with the seed of each table that has one."""
        tables = read(HERE / self.wiring)
        seeds = {
            f"{name}.{key}.seed": self.seed
            for name, table in tables.items()
            for key, value in table.items()
            if isinstance(value, dict) and "seed" in value
        }
        return [f"{key}={json.dumps(value)}" for key, value in {**seeds, **self.sets}.items()]

    @property
    def path(self) -> Path:
        """Where the wiring is."""
        return HERE / self.wiring


def played(training: Training) -> dict[str, Any]:
    """Train, and return what came of it."""
    began = perf_counter()
    try:
        if training.kind == "processes":
            found = asyncio.run(real(training))
        else:
            found = virtual.run(simulated(training))
    except RuntimeError as error:
        if "NaN or infinite" not in str(error):
            raise
        found = dict(LOST)
    return {**found, "seconds": perf_counter() - began}


async def real(training: Training) -> dict[str, Any]:
    """Train with a process for each actor; `training` are the seconds in which they train."""
    async with World(training.path, "processes", sets=training.options()) as world:
        began = perf_counter()
        await world.finished()
        seconds = perf_counter() - began
        names = {spec.name for spec in world.plan}
        sources = ["center"] if "center/0" in names else sorted(names)
        xs = [await world.ref(Source, name).pull() for name in sources]
        return {**await quality(xs), "training": seconds}


async def simulated(training: Training) -> dict[str, Any]:
    """Train in virtual time."""
    world = World(
        training.path,
        "simulated",
        sets=training.options(),
        network=training.network,
        seed=training.seed,
    )
    looks: list[float] = []
    watch = asyncio.create_task(look(world, looks, training.every))
    async with world:
        await world.finished()
        watch.cancel()
        simulation = world.simulation
        assert simulation is not None
        actors = simulation.actors()
        center = actors.get("center/0")
        sources = [actor for actor in actors.values() if center in {None, actor}]
        xs = [(await source.pull()).clone() for source in sources]
    found: dict[str, Any] = {"messages": float(sum(simulation.promises.sent_by.values()))}
    noted = [actor.noted for actor in actors.values() if hasattr(actor, "noted")]
    if noted:
        return {**found, "noted": noted}
    second = looks[len(looks) // 2 :]
    return {**found, "consensus": sum(second) / max(len(second), 1), **await quality(xs)}


async def look(world: World, looks: list[float], every: float) -> None:
    """Keep Σ‖xⁱ − x̄‖² of all learners, again and again."""
    while True:
        await asyncio.sleep(every)
        actors = world.simulation.actors().values() if world.simulation is not None else []
        learners = [each.learner.x for each in actors if hasattr(each, "learner")]
        if learners:
            x = torch.stack(learners)
            looks.append(float((x - x.mean(0)).square().sum()))


async def quality(xs: list[Tensor]) -> dict[str, Any]:
    """Return test loss and test error of the mean of some parameter vectors."""
    measured = await task.examiner().measure(torch.stack(xs).mean(0))
    return {"error": 1 - measured["accuracy"], "loss": measured["loss"]}


def main() -> None:
    """Answer each line of the input."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(played(Training(**json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
