"""Who takes part in a table at the moment, and what a live group makes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Resize = Callable[[str, int], Awaitable[None]]
"""Brings a table to a number of actors, and returns when they are there or have left."""


class Membership:
    """The actors present in each table, by index; `version` grows with every change."""

    def __init__(self, tables: Mapping[str, tuple[str, ...]]) -> None:
        self._tables = {table: tuple(sorted(names, key=_index)) for table, names in tables.items()}
        self.version = 0

    def members(self, table: str) -> tuple[str, ...]:
        """Return the names of those present in a table, by index: none in an unknown one."""
        return self._tables.get(table, ())

    def join(self, *names: str) -> None:
        """Count actors (`worker/3`) among their tables'; those that are there already stay."""
        joining: dict[str, set[str]] = {}
        for name in names:
            joining.setdefault(table_of(name), set()).add(name)
        for table, more in joining.items():
            self._change(table, {*self.members(table)} | more)

    def leave(self, name: str) -> None:
        """Count an actor out of its table; one that is not there changes nothing."""
        table = table_of(name)
        self._change(table, {*self.members(table)} - {name})

    def _change(self, table: str, names: set[str]) -> None:
        present = tuple(sorted(names, key=_index))
        if present != self.members(table):
            self._tables[table] = present
            self.version += 1


def table_of(name: str) -> str:
    """Return the table an actor is of: `worker` for `worker/3`."""
    return name.partition("/")[0]


def _index(name: str) -> int:
    index = name.partition("/")[2]
    if not index.isdecimal():
        raise ValueError(f"Membership: {name!r} is no member of a table, as 'worker/3' is one")
    return int(index)


@dataclass(slots=True, eq=False)
class Live:
    """The members of a live group: handles on those present in a table, but for one `without`.

    `ref` makes a handle of a name; each is made once.
    """

    table: str
    membership: Membership
    ref: Callable[[str], Any]
    resize: Resize
    without: str = ""
    _handles: dict[str, Any] = field(default_factory=dict, init=False)
    _members: tuple[Any, ...] = field(default=(), init=False)
    _version: int = field(default=-1, init=False)

    @property
    def members(self) -> tuple[Any, ...]:
        """Return all of one moment; the same tuple until somebody joins or leaves."""
        if self._version != self.membership.version:
            names = self.membership.members(self.table)
            self._members = tuple(self._handle(name) for name in names if name != self.without)
            self._version = self.membership.version
        return self._members

    def _handle(self, name: str) -> Any:
        if name not in self._handles:
            self._handles[name] = self.ref(name)
        return self._handles[name]

    async def bring_to(self, size: int) -> None:
        """Have as many members: one more in the table where oneself is left out."""
        await self.resize(self.table, size + bool(self.without))

    def __str__(self) -> str:
        return f"{self.table}[{'others' if self.without else '*'}]"
