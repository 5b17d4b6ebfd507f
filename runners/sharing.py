"""`share = "process"`: one object for all who ask for the same one, if they live together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tether.runners.placement import root
from tether.runners.problems import Problems, listed
from tether.runners.spec import ActorSpec
from tether.runners.tables import ActorTable
from tether.runners.values import Make, makes, value_to_wire


def shared_key(make: Make) -> str:
    """Return what makes two shared objects of a process the same: the factory and arguments."""
    _, path, arguments, _, _ = value_to_wire(make)
    return json.dumps([path, _without_where(arguments)], sort_keys=True)


def _without_where(data: object) -> object:
    """Two tables write the same nested `make` at different places; they mean the same object."""
    if isinstance(data, list) and data[:1] == ["make"]:
        return [_without_where(item) for item in data[:-1]]
    if isinstance(data, list):
        return [_without_where(item) for item in data]
    if isinstance(data, dict):
        return {key: _without_where(item) for key, item in data.items()}
    return data


def check_sharing(
    actors: Sequence[ActorSpec], tables: Mapping[str, ActorTable], problems: Problems
) -> None:
    """Report objects shared by those who do not live together, or by one alone."""
    owners: dict[str, dict[str, None]] = {}
    for spec in actors:
        home = root(spec.table, tables)
        for make in (make for make in makes(spec.arguments) if make.share):
            if not _together(home, tables):
                text = 'share = "process" needs actors in one process; use beside or processes = N'
                problems.add(make.where, text)
            owners.setdefault(shared_key(make), {})[home] = None
            others = [f"[{other}]" for other in owners[shared_key(make)] if other != home]
            if others:
                text = f"{listed(others)} shares this too, but from another process; use beside"
                problems.add(make.where, text)


def _together(home: str, tables: Mapping[str, ActorTable]) -> bool:
    beside = any(root(name, tables) == home for name in tables if name != home)
    return beside or tables[home].processes is not None
