"""A simulated process's share: what of it the simulation is shown."""

from __future__ import annotations

import asyncio

from tether.actors import report
from tether.runners import virtual
from tether.runners.world import World


class Counter:
    """Counts its steps, and what it has been asked."""

    def __init__(self, steps: int) -> None:
        self.steps, self.asked = steps, 0

    async def run(self) -> None:
        for step in range(self.steps):
            report(step=step + 1)

    async def ask(self) -> int:
        self.asked += 1
        return self.asked

    def state_dict(self) -> dict[str, int]:
        return {"asked": self.asked}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.asked = state["asked"]


WIRING = {"run": {"checkpoint": 1}, "counter": {"actor": Counter, "steps": 3}}


def test_what_an_actor_reports_and_keeps_is_shown_and_still_done() -> None:
    async def main() -> tuple[int, int, list[str]]:
        async with World(WIRING, "simulated", seed=1) as world:
            counter = world.ref(Counter, "counter")
            first = await counter.ask()
            await world.finished()
            assert world.simulation is not None
            steps = {actor: r.step for actor, r in world.simulation.tally.first.items()}
            await asyncio.sleep(3)  # of virtual time: two rounds of checkpoints
            kept = world.simulation.disk.names()
        assert world.result is not None
        assert not world.simulation.broken
        return world.result.records["counter/0"]["steps"], first, [*kept, *steps]

    steps, first, kept = virtual.run(main())

    assert (steps, first, kept) == (3, 1, ["counter-0.1.safetensors", "counter-0.2.safetensors"])


def test_telling_is_rarer_where_actors_are_many() -> None:
    many = {"counter": {"actor": Counter, "count": 1000, "processes": 2, "steps": 0}}

    async def main() -> float:
        async with World(many, "simulated", seed=1) as world:
            assert world.simulation is not None
            return world.simulation.living()[0].news.pause

    assert virtual.run(main()) == 1.0
