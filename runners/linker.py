"""From the tables of a wiring to a plan: every name resolved, every type checked, nothing built."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tether.runners.addresses import overlaps
from tether.runners.annotations import signature
from tether.runners.arguments import supplied
from tether.runners.codecs import check_talk, read_edges
from tether.runners.conversion import convert
from tether.runners.digest import digests
from tether.runners.hosts import read_hosts, read_run
from tether.runners.imports import Imports, first_on_path
from tether.runners.placement import Berth, place
from tether.runners.places import Places
from tether.runners.problems import Problems, Where, WiringError
from tether.runners.references import Seat
from tether.runners.scene import Scene
from tether.runners.sharing import check_sharing
from tether.runners.spec import ActorSpec, Bounds, Plan, RunSpec
from tether.runners.tables import RESERVED, ActorTable, read_table
from tether.runners.values import Value
from tether.runners.wiring import TOP


def link(tables: Mapping[str, Any], folder: Path, *, name: str, importable: bool = True) -> Plan:
    """Return the plan of a wiring; all its faults together raise WiringError.

    Modules it names are imported, `folder` first; no actor and no `make` is built. In tables
    written in Python, `actor` may be a class and `make` a callable; with `importable=False` also
    ones that other processes could not import.
    """
    problems = Problems()
    imports = Imports(problems, importable=importable)
    with first_on_path(folder):
        run = read_run(tables.get("run", {}), name, problems)
        hosts = read_hosts(tables.get("hosts", {}), problems)
        rows = _read_tables(tables, Places(hosts, run.device == "cpu"), imports, problems)
        berths = place(rows, problems)
        actors, notes = _actors(rows, berths, run, imports, problems)
        codecs = read_edges(tables.get("edges", {}), rows, problems)
    check_sharing(actors, rows, problems)
    if not problems:  # who is given whom is not known for certain otherwise
        check_talk(codecs, actors, problems)
    problems.check()
    bounds = live_tables(rows)
    plan = Plan(
        run,
        hosts,
        actors,
        folder.resolve(),
        {},
        bounds,
        codecs,
        objects=imports.objects,
        notes=notes,
    )
    if wrong := overlaps(plan):
        raise WiringError(wrong)
    return replace(plan, digests=digests(plan))


def _read_tables(
    tables: Mapping[str, Any], places: Places, imports: Imports, problems: Problems
) -> dict[str, ActorTable]:
    rows = {}
    for name, raw in tables.items():
        where = Where(name)
        if name in TOP:
            continue
        if not isinstance(raw, Mapping):
            text = "this stands outside every table; a wiring has one table for each kind of actor"
            problems.add(f"{name} = {raw!r}", text)
        elif not name.isidentifier() or name == "me":
            problems.add(where, "a table's name is letters, digits and _, and not me")
        else:
            rows[name] = read_table(name, raw, places, imports, problems)
    if not rows and not problems:
        problems.add("", "there are no actors in this file; a table such as [worker] names some")
    return rows


def _actors(
    rows: Mapping[str, ActorTable],
    berths: Mapping[str, tuple[Berth, ...]],
    run: RunSpec,
    imports: Imports,
    problems: Problems,
) -> tuple[tuple[ActorSpec, ...], tuple[str, ...]]:
    classes = {name: row.cls for name, row in rows.items()}
    counts = {name: row.count for name, row in rows.items()}
    live = live_tables(rows)
    notes: dict[str, None] = {}
    actors = []
    for row in rows.values():
        for index in range(row.count):
            berth = berths[row.name][index]
            words = _words(row, index, berth, run, sees_all=not imports.importable)
            seat = Seat(row.name, index, live)
            scene = Scene(seat, words, classes, counts, imports, problems, notes)
            actors.append(_actor(row, index, berth, words, _arguments(row, scene)))
    return tuple(actors), tuple(notes)


def live_tables(rows: Mapping[str, ActorTable]) -> dict[str, Bounds]:
    """Return the bounds of each table that is live."""
    return {name: row.bounds for name, row in rows.items() if row.bounds is not None}


def _words(
    row: ActorTable, index: int, berth: Berth, run: RunSpec, *, sees_all: bool
) -> dict[str, int | str]:
    # A process of its own is shown its one GPU; where all share this process, it sees them all.
    gpu = berth.place.gpu
    device = "cpu" if gpu is None else f"cuda:{gpu if sees_all else 0}"
    seed = seed_of(run.seed, row.name, index)
    return {"index": index, "count": row.count, "device": device, "seed": seed}


def seed_of(seed: int, table: str, index: int) -> int:
    """Return an actor's own seed, 32 bits: unlike its neighbours', the same in every run."""
    text = f"{seed} {table} {index}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


def _arguments(row: ActorTable, scene: Scene) -> dict[str, Value]:
    taken = signature(row.cls if row.cls is not None else dict)
    title = row.cls.__name__ if row.cls is not None else ""
    return supplied(title, taken, row.arguments, RESERVED, row.where, scene, convert)


def _actor(
    row: ActorTable, index: int, berth: Berth, words: Mapping[str, Any], arguments: dict[str, Value]
) -> ActorSpec:
    return ActorSpec(
        name=f"{row.name}/{index}",
        table=row.name,
        index=index,
        count=row.count,
        actor=row.actor,
        host=berth.place.host,
        device=words["device"],
        gpu=berth.place.gpu,
        process=berth.process,
        threads=row.threads,
        seed=words["seed"],
        restart=row.restart,
        max_restarts=row.max_restarts,
        max_seconds=row.max_seconds,
        arguments=arguments,
        live=row.bounds is not None,
        starts=row.bounds is None or index < row.bounds.start,
    )
