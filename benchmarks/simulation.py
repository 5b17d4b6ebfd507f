"""How fast a simulation is: messages a second, ten thousand actors, a thousand seeds.

python benchmarks/simulation.py [--rounds 5] [--only messages,gossip,seeds] [--json FILE]

All invariants of the runtime are on. Messages are counted against the processor time of the one
core that a simulation uses, everything else against real time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ["PYTHONPATH"] = sys.path[0]

from benchmarks.gossip import Peer, Sink, Source
from tether.protocols.quadratic import Quadratic
from tether.runners import virtual
from tether.runners.simulate import Setting
from tether.runners.sums import Sums
from tether.runners.sweep import sweep
from tether.runners.world import World

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "easgd"
SENDERS, MESSAGES = 4, 10_000
PEERS, PROCESSES, PUSHES = 10_000, 50, 100
SEEDS = 1000
Row = dict[str, Any]


def learner(n: int) -> dict[str, Any]:
    """Return the wiring of a null learner of n numbers."""
    noise = {"h": 1.0, "sigma": 0.5, "optimum": 0.0, "start": 1.0, "seed": "$seed"}
    return {"make": Quadratic, "n": n, "eta": 0.1, **noise}


def streams(n: int, *, learns: bool) -> dict[str, Any]:
    """Return actors that send their x of n numbers one way, as fast as the window lets them."""
    source = {"actor": Source, "sink": "@sink", "learner": learner(n), "learns": learns}
    tables = {"sink": {"actor": Sink, "x": learner(n)}, "source": source}
    return {"run": {"checkpoint": 0}, **tables} | {"source": {**source, "messages": MESSAGES}}


def rate(n: int, *, learns: bool) -> float:
    """Return how many messages of n numbers are handled a second of processor time."""

    async def main() -> float:
        wiring = streams(n, learns=learns)
        wiring |= {f"source{k}": wiring["source"] for k in range(1, SENDERS)}
        network = {"compute": {"*": {"gradient": 0}}}
        async with World(wiring, "simulated", seed=1, network=network) as world:
            begun = process_time()
            await world.finished()
            seconds = process_time() - begun
        assert world.simulation is not None
        assert not world.simulation.broken
        return SENDERS * MESSAGES / seconds

    return virtual.run(main())


def gossip(peers: int, pushes: int) -> list[Row]:
    """Return what it takes to let so many actors push once a second of virtual time each.

    Everybody's peers are those 1, 2, 4, … further on: the exponential graph.
    """
    ahead = [f"@peer[+{1 << k}]" for k in range((peers - 1).bit_length())]
    peer = {"actor": Peer, "count": peers, "processes": min(PROCESSES, peers), "peers": ahead}
    peer |= {"learner": learner(32), "a": 1 / peers, "pause": 1.0, "steps": pushes}
    network = {
        "link": [{"latency": {"lognormal": ["20ms", 0.3]}}],
        "compute": {"peer": {"gradient": 0}},
    }
    run = {"checkpoint": 0, "beat": 5, "unreachable": 20}

    async def main() -> list[int]:
        async with World({"run": run, "peer": peer}, "simulated", seed=1, network=network) as world:
            assert world.simulation is not None
            await world.finished()
            actors = world.simulation.actors().values()
            pushed = [actor.pushed for actor in actors]
        assert not world.simulation.broken, world.simulation.broken
        return pushed

    begun = perf_counter()
    pushed = virtual.run(main())
    gibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    title = f"gossip-{peers}"
    return [
        row(f"{title}-seconds", [perf_counter() - begun], "s"),
        row(f"{title}-memory", [gibibytes], "GiB"),
        row(f"{title}-pushes", [float(min(pushed)), float(max(pushed))], "of an actor"),
    ]


def seeds(count: int) -> list[Row]:
    """Return how long many seeds of EASGD with four workers take, under all kinds of faults."""
    setting = Setting(EXAMPLE / "simulated.toml", (), None, EXAMPLE / "faults" / "all.toml")
    sums = Sums()

    async def main() -> None:
        async for findings in sweep(setting, range(count), os.cpu_count() or 1):
            sums.add(findings)

    begun = perf_counter()
    asyncio.run(main())
    seconds = perf_counter() - begun
    print(sums.text(seconds), file=sys.stderr)
    assert not sums.broken, sums.broken
    return [row(f"seeds-{count}", [seconds], "s")]


def row(workload: str, values: Sequence[float], unit: str) -> Row:
    """Return a row of the table."""
    spread = {"median": median(values), "min": min(values), "max": max(values)}
    return {"workload": workload, "system": "tether", **spread, "unit": unit}


def messages(rounds: int) -> list[Row]:
    """Return the rates, each the median of so many rounds."""
    kinds: dict[str, Callable[[], float]] = {
        "messages-32": lambda: rate(32, learns=False),
        "messages-1000": lambda: rate(1000, learns=False),
        "messages-32-learning": lambda: rate(32, learns=True),
    }
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, measure in kinds.items():
            found[kind].append(measure())
    return [row(kind, values, "messages/s") for kind, values in found.items()]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="messages,gossip,seeds")
    parser.add_argument("--peers", type=int, default=PEERS)
    parser.add_argument("--pushes", type=int, default=PUSHES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[Row] = []
    rows += messages(given.rounds) if "messages" in given.only else []
    rows += gossip(given.peers, given.pushes) if "gossip" in given.only else []
    rows += seeds(given.seeds) if "seeds" in given.only else []
    table = Table("workload", "median (min..max)", "unit", box=None)
    for each in rows:
        spread = f"{each['median']:,.4g} ({each['min']:,.4g}..{each['max']:,.4g})"
        table.add_row(each["workload"], spread, each["unit"])
    Console().print(table)
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
