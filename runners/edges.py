"""Who talks to whom: the references of a plan, and the transport each of them takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tether.runners.spec import MIB, ActorSpec, GroupOf, Plan, RefTo
from tether.runners.values import Value, leaves


@dataclass(frozen=True, slots=True)
class Edge:
    """`count` pairs of actors of two tables, joined by an argument, over one transport.

    The transport is "memory" in one process, "ipc" on one host, "tcp" between hosts.
    """

    source: str
    target: str
    argument: str
    transport: str
    count: int


def names(value: Value) -> Iterator[str]:
    """Walk the names of all actors that a value holds handles on."""
    for leaf in leaves(value):
        match leaf:
            case RefTo(name):
                yield name
            case GroupOf(members):
                yield from members


def reaches(spec: ActorSpec) -> Iterator[tuple[str, str]]:
    """Walk (argument, actor's name) for all that an actor holds handles on, each pair once."""
    for argument, value in spec.arguments.items():
        for name in dict.fromkeys(names(value)):
            yield argument, name


def transport(source: ActorSpec, target: ActorSpec) -> str:
    """Return how messages travel between two actors: "memory", "ipc" or "tcp"."""
    if source.host != target.host:
        return "tcp"
    return "memory" if source.process == target.process else "ipc"


def edges(plan: Plan) -> list[Edge]:
    """Return the edges of a plan between tables, in the order of the file."""
    actors = {spec.name: spec for spec in plan.actors}
    counts = Counter(
        (spec.table, actors[name].table, argument, transport(spec, actors[name]))
        for spec in plan.actors
        for argument, name in reaches(spec)
    )
    return [Edge(*key, count) for key, count in counts.items()]


def peers(plan: Plan) -> dict[str, int]:
    """Return how many actors of other processes reach each actor, by its name."""
    actors = {spec.name: spec for spec in plan.actors}
    found: dict[str, set[str]] = {name: set() for name in actors}
    for spec in plan.actors:
        for _, name in reaches(spec):
            if transport(spec, actors[name]) != "memory":
                found[name].add(spec.name)
    return {name: len(callers) for name, callers in found.items()}


def bounds(plan: Plan) -> list[str]:
    """Return a line for each table that is reached: what may be under way to one of its actors."""
    most: dict[str, int] = {}
    for name, size in peers(plan).items():
        table = name.partition("/")[0]
        most[table] = max(most.get(table, 0), size)
    return [_bound(table, size, plan.run.bytes) for table, size in most.items() if size]


def _bound(table: str, size: int, each: int) -> str:
    peers = "peers" if size > 1 else "peer"
    whole = f"{size} {peers} × {mib(each)} = {mib(size * each)}"
    return f"[{table}] {whole} at most under way to each"


def overcommitted(plan: Plan, memory: int, host: str = "") -> list[str]:
    """Return a sentence if all that may be under way to a host exceeds its memory, in bytes."""
    here = {spec.name for spec in plan.actors if spec.host == host}
    pairs = sum(size for name, size in peers(plan).items() if name in here)
    if pairs * plan.run.bytes <= memory:
        return []
    machine = f"host {host}" if host else "this machine"
    whole = mib(pairs * plan.run.bytes)
    found = f"[run] bytes = {plan.run.bytes}: {pairs} pairs of peers may have {whole} under way"
    return [f"{found} to {machine}, which has {mib(memory)} of memory"]


def mib(size: int) -> str:
    """Return a number of bytes in MiB, or in bytes below one."""
    return f"{size / MIB:,.0f} MiB" if size >= MIB else f"{size} bytes"
