"""Many seeds of a protocol in simulations, looked at after every event, and what they add up to."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import fsum
from time import process_time
from typing import Any

from tether.protocols.gosgd_invariants import CERTAIN
from tether.protocols.invariant import Call, Life
from tether.runners import virtual
from tether.runners.simulation import Simulation
from tether.runners.world import BrokenPromise, World

COLUMNS = (
    "protocol", "seeds", "messages", "packets lost", "doubled", "late", "crashes", "partitions",
    "merges", "checks", "lost in deaths, booked", "violations",
)  # fmt: skip


PATIENCE = 120.0
"""Virtual seconds in which a run of one second has to end."""


class Watch:
    """Has all invariants checked whenever something has happened; counts what merges."""

    def __init__(self, simulation: Simulation, merges: str) -> None:
        self.others = list(simulation.declared.invariants)
        self.merges, self.count = merges, Counter[str]()

    def made(self, _life: Life, _actor: Any) -> str:
        return self._look()

    def before(self, _name: str, _work: str) -> None: ...

    def after(self, _name: str, _work: str) -> str:
        return self._look()

    def answered(self, call: Call, _answer: Any) -> str:
        self.count["merges"] += call.method == self.merges
        return self._look()

    def check(self) -> str:
        return ""

    def _look(self) -> str:
        self.count["checks"] += 1
        return "; ".join(filter(None, (each.check() for each in self.others)))


def played(
    wiring: Mapping[str, Any], network: Any, faults: Any, merges: str
) -> tuple[Simulation, Counter[str], dict[str, Any]]:
    """Run a wiring to its end and a second longer, while nothing goes wrong any more.

    Return the simulation, what was counted, and the actors as they are.
    """

    async def main() -> tuple[Simulation, Counter[str], dict[str, Any]]:
        world = World(wiring, "simulated", network=network, faults=faults)
        actors: dict[str, Any] = {}
        count = Counter[str]()
        with suppress(BrokenPromise):
            async with world:
                simulation = world.simulation
                assert simulation is not None
                watch: Any = Watch(simulation, merges)
                count = watch.count
                simulation.declared.invariants.append(watch)
                try:
                    async with asyncio.timeout(PATIENCE):
                        await world.finished()
                except TimeoutError:
                    simulation.break_(f"it has not ended in {PATIENCE:g} s")
                simulation.chaos.end()
                await asyncio.sleep(1.0)
                for _ in range(CERTAIN):
                    simulation.check()
                actors = dict(simulation.actors())
        assert world.simulation is not None
        return world.simulation, count, actors

    return virtual.run(main())


def counted(simulation: Simulation, count: Counter[str]) -> Counter[str]:
    """Return what happened in a simulation, by the columns' names."""
    edges = [edge.count for edge in simulation.medium.edges.values()]
    strikes = Counter(strike.kind for strike in simulation.chaos.strikes)
    return count + Counter(
        {
            "messages": sum(simulation.promises.sent_by.values()),
            "packets lost": sum(each.lost for each in edges),
            "doubled": sum(each.doubled for each in edges),
            "late": sum(each.late for each in edges),
            "crashes": strikes["crash"],
            "partitions": strikes["partition"],
            "violations": len(simulation.broken),
        }
    )


def all_seeds(
    protocol: str,
    wiring: Callable[[int], Mapping[str, Any]],
    network: Any,
    faults: Any,
    merges: str,
    whole: Callable[[Mapping[str, Any]], float] | None = None,
    *,
    seeds: int = 1000,
    total: float = 1.0,
) -> Counter[str]:
    """Play all seeds, print a row of what they add up to, and return that.

    `whole` sums up what the living hold: with what leaked it has to be `total` in the end, to 16
    units of the last place, or that is a violation too. Without it leaks are changes of a vector.
    """
    gc.collect()
    gc.freeze()  # what every run collects is its own
    begun, sums, lost = process_time(), Counter[str](), []
    for seed in range(seeds):
        simulation, count, actors = played(wiring(seed), network, faults, merges)
        sums += counted(simulation, count)
        leaks = [leak.size for leak in simulation.declared.leaks]
        lost += leaks
        if whole and not abs(fsum([whole(actors), *leaks]) - total) <= total * 2.0**-48:
            sums["violations"] += 1
        for broken in simulation.broken:
            print(f"{protocol}, seed {seed}: {broken}")
    gc.unfreeze()
    sums["seeds"] = seeds
    booked = f"{fsum(lost):.6g} of {seeds * total:g}" if whole else f"{len(lost):,} of x"
    told = {"protocol": protocol, "lost in deaths, booked": booked}
    print("| " + " | ".join(COLUMNS) + " |")
    print("| " + " | ".join(told.get(name, f"{sums[name]:,}") for name in COLUMNS) + " |")
    print(f"{process_time() - begun:.0f} s of processor time")
    return sums
