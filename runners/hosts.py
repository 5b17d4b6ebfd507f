"""The tables [hosts] and [run]: which machines there are, and what holds for all actors."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tether.actors.encryption import LEVELS
from tether.actors.endpoint import is_everywhere
from tether.runners.problems import Problems, Where, listed, nearest
from tether.runners.spec import Plan, RunSpec

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:\[\]]+):([0-9]{1,5})")
ORDERED = ("beat", "unreachable", "lost")
CHOICES = {"encryption": LEVELS, "bind": ("address", "all")}
OPEN = {
    "off": "nothing between hosts is encrypted, and who reaches a port may speak for an actor",
    "control": "tensors travel between hosts unencrypted, and can be read and changed on the way",
}


def read_hosts(raw: Any, problems: Problems) -> dict[str, str]:
    """Return the addresses of [hosts] by name, in the file's order; the first one is home."""
    where = Where("hosts")
    if not isinstance(raw, Mapping):
        problems.add(where, f"this is {raw!r}, but a table of addresses by name is wanted")
        return {}
    hosts: dict[str, str] = {}
    for name, address in raw.items():
        found = ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if not str(name).isidentifier():
            problems.add(where.at(name), "a host's name is letters, digits and _")
        elif not found or not 0 < int(found[2]) < 65536:
            problems.add(
                where.at(name).holds(address), 'this is no address, as "10.0.0.1:5700" is one'
            )
        elif is_everywhere(found[1].strip("[]")):
            text = 'this is no address of one host; to listen on all, write bind = "all" in [run]'
            problems.add(where.at(name).holds(address), text)
        elif address in hosts.values():
            problems.add(where.at(name).holds(address), "another host has this address already")
        hosts[str(name)] = str(address)
    return hosts


def read_run(raw: Any, name: str, problems: Problems) -> RunSpec:
    """Return what [run] says over what holds without it; `name` is the run's if it has none."""
    where = Where("run")
    if not isinstance(raw, Mapping):
        problems.add(where, f"this is {raw!r}, but a table is wanted")
        return RunSpec(name)
    kinds = {field.name: str(field.type) for field in dataclasses.fields(RunSpec)}
    kept: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in kinds:
            text = f"there is no such key{nearest(key, kinds)}; there are {listed(kinds)}"
            problems.add(where.at(key), text)
        elif fault := _fault(key, kinds[key], value):
            problems.add(where.at(key).holds(value), fault)
        else:
            kept[key] = float(value) if kinds[key] == "float" else value
    run = RunSpec(**({"name": name} | kept))
    _check_order(run, where, problems)
    return run


def _fault(key: str, kind: str, value: Any) -> str:
    if key == "device":
        return "" if value == "cpu" else 'only "cpu" can be asked of all; places are given by `on`'
    if key == "name":
        return "" if isinstance(value, str) and value else "a text is wanted"
    if key in CHOICES:
        return "" if value in CHOICES[key] else f"one of {listed(CHOICES[key])} is wanted"
    if key == "seed":
        whole = type(value) is int and 0 <= value < 2**63
        return "" if whole else "a whole number from 0 to 2**63 - 1 is wanted"
    if kind == "int":
        return "" if type(value) is int and value > 0 else "a whole number from 1 on is wanted"
    number = type(value) in (int, float)
    if key == "checkpoint":
        return "" if number and value >= 0 else "seconds are wanted, or 0 for no checkpoints"
    if key == "spin":
        return "" if number and value >= 0 else "seconds are wanted, or 0 to sleep at once"
    return "" if number and value > 0 else "seconds above 0 are wanted"


def _check_order(run: RunSpec, where: Where, problems: Problems) -> None:
    for short, long in pairwise(ORDERED):
        if getattr(run, short) >= getattr(run, long):
            place = where.at(long).holds(getattr(run, long))
            text = f"this must be longer than {short}, which is {getattr(run, short)}"
            problems.add(place, text)
    if run.drain > run.graceful:
        place = where.at("drain").holds(run.drain)
        problems.add(place, f"draining is part of graceful, which is {run.graceful}")


def exposed(plan: Plan) -> list[str]:
    """Return what a user is warned of at the start: what of a run is open to the network."""
    if len(plan.hosts) < 2:
        return []
    run = plan.run
    found = []
    if run.encryption in OPEN:
        found.append(f'WARNING: encryption = "{run.encryption}": {OPEN[run.encryption]}')
    if run.bind == "all":
        found.append('WARNING: bind = "all": every process listens on all interfaces of its host')
    return found
