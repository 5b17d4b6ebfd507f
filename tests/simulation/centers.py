"""All protocols with a center or with rounds, small and among every fault, seed after seed.

`python -m tests.simulation.centers --seeds 1000 easgd diloco` prints a line of a table for each.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch

from tether.protocols import (
    admm,
    adownpour,
    aggregator,
    diloco,
    downpour,
    easgd,
    easgd_gauss_seidel,
    easgd_paper,
    easgd_synchronous,
    easgd_tree,
    hierarchical,
    local_sgd,
    local_sgd_updates,
    local_sign_sgd,
    mdownpour,
    sharded,
)
from tether.protocols.quadratic import Quadratic, initial
from tether.protocols.resting import Resting
from tether.runners import virtual
from tether.runners.findings import Findings, found
from tether.runners.simulation import Simulation
from tether.runners.world import World

N, STEPS, K = 4, 12, 3
"""Coordinates, steps of each worker, and how many there are."""
STEP = {"uniform": ["5ms", "20ms"]}
NETWORK = {
    "line": "1ms",
    "resend": "10ms",
    "link": [
        {
            "latency": {"uniform": ["0.1ms", "2ms"]},
            "loss": 0.05,
            "duplicate": 0.05,
            "reorder": 0.05,
        }
    ],
    "compute": {"*": {"gradient": STEP}},
}
"""Packets are lost, doubled and reordered all the time."""
LEAVES = {name: {"step": STEP} for name in ("near", "far")}
"""What takes a leaf of a tree its time; it has no need of a gradient beforehand."""
CENTERS, WORKERS = ["center", "left", "right"], ["worker", "near", "far"]

Tables = dict[str, Any]


def faults(tables: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return crashes, a partition and a pause, which fall into a run of 0.2 seconds."""
    centers = [name for name in CENTERS if name in tables]
    workers = [name for name in WORKERS if name in tables]
    soon = {"uniform": ["10ms", "180ms"]}
    return {
        "crash": [{"actor": workers, "at": soon}, {"actor": centers, "at": soon}],
        "partition": [{"between": [workers[0], centers[-1]], "at": soon, "for": "40ms"}],
        "pause": [{"actor": [*centers, *workers], "at": soon, "for": "40ms"}],
    }


def x0(name: str = "x") -> Tables:
    """Return where a center begins, as an argument."""
    return {name: {"make": initial, "n": N, "start": 1.0}}


def quadratic(eta: float = 0.1, make: type = Quadratic) -> Tables:
    """Return a noisy quadratic as an argument, of a class that may be planted."""
    made = {"make": make, "n": N, "eta": eta, "h": 1.0, "sigma": 0.7, "optimum": 0.0}
    return {"learner": {**made, "start": 1.0, "seed": "$seed"}}


def wired(center: Tables, worker: Tables, eta: float = 0.1) -> Tables:
    """Return a center and its workers."""
    return {"center": center, "worker": {"count": K, **quadratic(eta), **worker}}


def averaged(worker: type, holder: type = aggregator.Aggregator) -> Tables:
    """Return an aggregator and workers of a kind."""
    return wired(
        {"actor": holder, **x0("c"), "workers": "@worker[*]", "H": 3},
        {"actor": worker, "aggregator": "@center", "me": "@me", "steps": STEPS, "patience": 0.1},
    )


def elastic(center: type, worker: type, tau: int = 2) -> Tables:
    """Return EASGD of a kind."""
    return wired(
        {"actor": center, **x0(), "alpha": 0.2},
        {"actor": worker, "center": "@center", "tau": tau, "steps": STEPS},
    )


def in_step(center: type) -> Tables:
    """Return synchronous EASGD of a kind."""
    asks = {"workers": "@worker[*]", "steps": STEPS, "patience": 0.1}
    return wired(
        {"actor": center, **x0(), "alpha": 0.2, **asks}, {"actor": easgd_synchronous.Worker}
    )


def of_shards() -> Tables:
    """Return EASGD with a center of two slices."""
    tables = elastic(sharded.Shard, easgd.Worker)
    tables["center"] |= {"count": 2, "index": "$index", "of": "$count"}
    tables["worker"]["center"] = {"make": sharded.Sharded, "shards": "@center[*]"}
    return tables


def tree() -> Tables:
    """Return a root, two inner nodes and four leaves."""
    rest = {"learner": {"make": Resting, **x0()}, "restart": "permanent"}
    inner = {"actor": easgd_tree.Node, "alpha": 0.3, **rest}
    leaf = {"actor": easgd_tree.Node, "alpha": 0.3, "count": 2, "tau_up": 2, "steps": STEPS}
    return {
        "center": {**inner, "children": ["@left", "@right"]},
        "left": {**inner, "parent": "@center", "children": "@near[*]", "tau_up": 3},
        "right": {**inner, "parent": "@center", "children": "@far[*]", "tau_up": 3},
        "near": {**leaf, **quadratic(), "parent": "@left"},
        "far": {**leaf, **quadratic(), "parent": "@right"},
    }


def blocks() -> Tables:
    """Return two blocks of two workers."""
    holder = {"actor": aggregator.Aggregator, **x0("c")}
    block = {"actor": hierarchical.Block, "above": "@center", "me": "@me", **x0("c"), "H": 2}
    worker = {"actor": local_sgd.Worker, "count": 2, "me": "@me", "steps": STEPS, "patience": 0.1}
    return {
        "center": {**holder, "workers": ["@left", "@right"], "H": 6},
        "left": {**block, "workers": "@near[*]"},
        "right": {**block, "workers": "@far[*]"},
        "near": {**worker, **quadratic(), "aggregator": "@left"},
        "far": {**worker, **quadratic(), "aggregator": "@right"},
    }


def streaming() -> Tables:
    """Return DiLoCo with two fragments under way for a step."""
    part = {"count": 2, "part": "$index", "of": "$count"}
    given = {"fragments": "@center[*]", "me": "@me", "steps": STEPS, "tau": 1, "alpha": 0.25}
    return wired(
        {"actor": diloco.Fragment, **x0("c"), "workers": "@worker[*]", "H": 4, **part},
        {"actor": diloco.Worker, **given, "patience": 0.1},
    )


def pushing(center: type) -> Tables:
    """Return DOWNPOUR with a center of a kind."""
    worker = {"actor": downpour.Worker, "center": "@center", "tau": 2, "steps": STEPS}
    return wired({"actor": center, **x0()}, worker, eta=0.03)


def ahead() -> Tables:
    """Return MDOWNPOUR."""
    center = {"actor": mdownpour.Center, **x0(), "eta": 0.03, "delta": 0.5}
    return wired(center, {"actor": mdownpour.Worker, "center": "@center", "steps": STEPS})


def in_turns() -> Tables:
    """Return ADMM."""
    center = {"actor": admm.Center, **x0(), "workers": "@worker[*]", "turns": K * STEPS // 2}
    return wired(center, {"actor": admm.Worker, "rho": 1.0})


WIRINGS: dict[str, Callable[[], Tables]] = {
    "easgd": lambda: elastic(easgd.Center, easgd.Worker),
    "easgd_paper": lambda: elastic(easgd_paper.Center, easgd_paper.Worker),
    "sharded": of_shards,
    "easgd_synchronous": lambda: in_step(easgd_synchronous.Center),
    "easgd_gauss_seidel": lambda: in_step(easgd_gauss_seidel.Center),
    "easgd_tree": tree,
    "downpour": lambda: pushing(downpour.Center),
    "adownpour": lambda: pushing(adownpour.Center),
    "mdownpour": ahead,
    "admm": in_turns,
    "local_sgd": lambda: averaged(local_sgd.Worker),
    "local_sgd_updates": lambda: averaged(local_sgd_updates.Worker),
    "hierarchical": blocks,
    "local_sign_sgd": lambda: averaged(local_sign_sgd.Worker, local_sign_sgd.Aggregator),
    "diloco": streaming,
}
TOO_LATE = "the run is ending"
"""Why one who dies after all others have ended is not brought back."""
EXCHANGES = {"exchange", "add", "step", "hear", "push", "turn", "hand", "hand_signs"}
"""The messages in which something is exchanged."""


class Counting:
    """Counts what is exchanged, as one more invariant, which always holds."""

    def __init__(self) -> None:
        self.exchanges = 0

    def made(self, life: Any, actor: Any) -> None: ...

    def before(self, name: str, work: str) -> None: ...

    def after(self, name: str, work: str) -> None: ...

    def answered(self, call: Any, answer: Any) -> None:
        self.exchanges += call.method in EXCHANGES and not isinstance(answer, Exception)

    def check(self) -> str:
        return ""


@dataclass
class Played:
    """A seed that has been played."""

    simulation: Simulation
    findings: Findings
    actors: Mapping[str, Any]
    exchanges: int

    def was_over(self, name: str, why: str) -> bool:
        """Tell whether who was given up had made all its steps, and died when the run ended."""
        steps = {other: report.step or 0 for other, report in self.simulation.tally.last.items()}
        table = name.partition("/")[0]
        most = max(
            (made for other, made in steps.items() if other.startswith(f"{table}/")), default=0
        )
        return why.endswith(TOO_LATE) and steps.get(name, 0) == most


def play(
    name: str, seed: int, changed: Mapping[str, Tables] | None = None, *, troubled: bool = True
) -> Played:
    """Play a protocol's wiring, some keys of it changed, to its end; nobody is given up."""
    tables = WIRINGS[name]()
    troubles = faults(tables) if troubled else {}
    for title, table in tables.items():
        table |= {"max_restarts": 20} | dict((changed or {}).get(title, {}))
    tables["run"] = {"seed": seed, "checkpoint": 0.06}
    network = {**NETWORK, "compute": LEAVES} if name == "easgd_tree" else NETWORK
    counting = Counting()

    async def main() -> tuple[World, Mapping[str, Any]]:
        world = World(tables, "simulated", network=network, faults=troubles)
        actors: Mapping[str, Any] = {}
        with suppress(RuntimeError):  # BrokenPromise; or a death when all the others have ended
            async with world:
                assert world.simulation is not None
                world.simulation.declared.invariants.append(counting)
                await world.finished()
                actors = world.simulation.actors()
        return world, actors

    world, actors = virtual.run(main())
    assert world.simulation is not None
    assert world.result is not None
    findings = found(world.simulation, world.result)
    return Played(world.simulation, findings, actors, counting.exchanges)


@dataclass
class Sums:
    """What many seeds have found, added up."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    leaked: float = 0.0
    broken: dict[int, list[str]] = field(default_factory=dict)

    def add(self, seed: int, played: Played) -> None:
        """Add a seed."""
        findings = played.findings
        packets = list(findings.links.values())
        self.counts.update(
            {
                "seeds": 1,
                "messages": findings.messages["sent"],
                "crashes": findings.faults.get("crash", 0),
                "partitions": findings.faults.get("partition", 0),
                "lost": sum(each.lost for each in packets),
                "doubled": sum(each.doubled for each in packets),
                "late": sum(each.late for each in packets),
                "exchanges": played.exchanges,
                "leaks": findings.leaks,
            }
        )
        self.leaked += sum(leak.size for leak in played.simulation.declared.leaks)
        gave_up = [why for name, why in findings.gave_up.items() if not played.was_over(name, why)]
        if findings.broken or gave_up:
            self.broken[seed] = [*findings.broken, *gave_up]

    @property
    def row(self) -> str:
        """The line of the table."""
        count = self.counts
        cells = [f"`{self.name}`"]
        cells += [f"{count[key]:,}" for key in ("seeds", "messages", "crashes", "partitions")]
        cells += [f"{count['lost']:,} / {count['doubled']:,} / {count['late']:,}"]
        cells += [f"{count['exchanges']:,}", f"{count['leaks']:,} ({self.leaked:,.0f})"]
        return f"| {' | '.join(cells)} | {len(self.broken)} |"


HEAD = """\
| protocol | seeds | messages | crashes | partitions | packets lost / doubled / late | exchanges | \
leaks (Σ of their norms) | violations |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def swept(name: str, seeds: Iterable[int]) -> Sums:
    """Play seeds one after the other, and print the line of the table."""
    sums = Sums(name)
    for seed in seeds:
        sums.add(seed, play(name, seed))
    print(sums.row, flush=True)
    return sums


def main() -> None:
    """Print the table of some protocols, or of all."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(WIRINGS)}")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(HEAD, flush=True)
    seeds = range(given.first, given.first + given.seeds)
    for name in given.names or WIRINGS:
        for seed, broken in swept(name, seeds).broken.items():
            print(f"seed {seed}: {'; '.join(broken)}", flush=True)


if __name__ == "__main__":
    main()
