"""Which process each actor lives in, and which GPU that process has to itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tether.runners.places import Place
from tether.runners.problems import Problems, listed, nearest
from tether.runners.spec import Plan
from tether.runners.tables import ActorTable

MOST = 16
"""Processes a table gets without asking for more."""


@dataclass(frozen=True, slots=True)
class Berth:
    """Where one actor lives: a place, and a process there."""

    place: Place
    process: str


def place(tables: Mapping[str, ActorTable], problems: Problems) -> dict[str, tuple[Berth, ...]]:
    """Return the berths of each table's actors, by index; GPUs booked twice are reported."""
    check_beside(tables, problems)
    roots = {name: root(name, tables) for name in tables}
    berths = {name: _berths(tables[name], problems) for name in set(roots.values())}
    found = {name: _follow(name, tables, berths) for name in tables}
    _check_gpus(tables, found, problems)
    return found


def check_beside(tables: Mapping[str, ActorTable], problems: Problems) -> None:
    """Report tables beside one that does not exist, and those beside each other in a ring."""
    for name, table in tables.items():
        if table.beside is None:
            continue
        where = table.where.at("beside").holds(table.beside)
        if table.beside not in tables:
            close = nearest(table.beside, tables)
            text = f"there is no [{table.beside}] in this file{close}; it has {listed(tables)}"
            problems.add(where, text)
        elif _heads_ring(chain := _chain(name, tables), list(tables)):
            text = f"{' is beside '.join(chain)}, so none of them has a place of its own"
            problems.add(where, text)
        elif fault := _apart(table, tables[table.beside]):
            problems.add(where, fault)


def _apart(table: ActorTable, beside: ActorTable) -> str:
    """Return why a live table cannot be beside another, "" where it can."""
    mine, theirs = table.bounds, beside.bounds
    if mine is None or theirs is None or mine == theirs:
        return ""
    sizes = f"start = {theirs.start}, min = {theirs.min}, max = {theirs.max}"
    return f"both are live, so [{table.name}] has to have the same count = {{ {sizes} }}"


def _heads_ring(chain: list[str], order: list[str]) -> bool:
    """Whether a chain comes home, and begins with the ring's first table: each is told once."""
    return chain[0] in chain[1:] and chain[0] == min(chain, key=order.index)


def _chain(name: str, tables: Mapping[str, ActorTable]) -> list[str]:
    """Return the tables one is beside, step by step, up to one that is met twice or has none."""
    chain = [name]
    while (beside := tables[chain[-1]].beside) in tables and len(set(chain)) == len(chain):
        chain.append(str(beside))
    return chain


def root(name: str, tables: Mapping[str, ActorTable]) -> str:
    """Return the table whose processes those of `name` live in: its own, or of its `beside`."""
    return _chain(name, tables)[-1]


def _follow(
    name: str, tables: Mapping[str, ActorTable], berths: Mapping[str, tuple[Berth, ...]]
) -> tuple[Berth, ...]:
    chain = _chain(name, tables)
    found = berths[chain[-1]]
    for each, other in reversed(list(pairwise(chain))):
        size = _steady(tables[each], tables[other])
        found = tuple(found[index % size] for index in range(tables[each].count))
    return found


def _steady(table: ActorTable, beside: ActorTable) -> int:
    """Return how many of `beside` to live with: a fixed table lives with those always there."""
    if beside.bounds is None or table.bounds is not None:
        return beside.count
    return beside.bounds.min


def _berths(table: ActorTable, problems: Problems) -> tuple[Berth, ...]:
    places = [table.places[index % len(table.places)] for index in range(table.count)]
    size = min(table.count, table.processes or _size(len(table.places)))
    processes: dict[int, Place] = {}
    for index, where in enumerate(places):
        if processes.setdefault(index % size, where) != where:
            text = (
                f"one process would live at {processes[index % size]} and at {where}; "
                f"write a multiple of the {len(table.places)} places"
            )
            problems.add(table.where.at("processes").holds(size), text)
            break
    names = [f"{table.name}-{index % size}" for index in range(table.count)]
    return tuple(Berth(where, name) for where, name in zip(places, names, strict=True))


def _size(places: int) -> int:
    """Return the most processes within the bound that share no two places."""
    return max(places, MOST // places * places)


def _check_gpus(
    tables: Mapping[str, ActorTable],
    found: Mapping[str, Sequence[Berth]],
    problems: Problems,
) -> None:
    """A GPU is one process's, unless each table on it says how many processes it wants."""
    booked: dict[Place, dict[str, str]] = {}
    for name, berths in found.items():
        for berth in berths:
            if berth.place.gpu is not None:
                booked.setdefault(berth.place, {}).setdefault(berth.process, root(name, tables))
    for gpu, processes in booked.items():
        owners = list(dict.fromkeys(processes.values()))
        if len(processes) > 1 and not all(tables[owner].processes for owner in owners):
            host = f" of host {gpu.host}" if gpu.host else ""
            problems.add(
                " and ".join(f"[{owner}]" for owner in owners),
                f"gpu{gpu.gpu}{host} is booked by {len(processes)} processes "
                f"({listed(processes)}); use other places, beside, or processes = N in each",
            )


def missing_gpus(plan: Plan, available: int, host: str = "") -> list[str]:
    """Return a sentence for each table that wants GPUs a host with `available` of them lacks."""
    wanted: dict[str, set[int]] = {}
    for spec in plan.actors:
        if spec.host == host and spec.gpu is not None and spec.gpu >= available:
            wanted.setdefault(spec.table, set()).add(spec.gpu)
    machine = f"host {host}" if host else "this machine"
    return [
        f"[{table}] on: {', '.join(f'gpu{gpu}' for gpu in sorted(gpus))} of {machine} is wanted, "
        f"but it has {available} GPUs"
        for table, gpus in wanted.items()
    ]
