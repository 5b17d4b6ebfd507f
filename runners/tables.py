"""One table of a wiring: its reserved keys, read and checked; its arguments, as they stand."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tether.actors.handlers import Handler, handlers
from tether.runners.hints import article
from tether.runners.imports import Imports
from tether.runners.places import Place, Places
from tether.runners.problems import Problems, Where, nearest
from tether.runners.spec import Bounds

RESERVED = (
    "actor", "on", "count", "beside", "processes",
    "threads", "restart", "max_restarts", "max_seconds",
)  # fmt: skip
RESTARTS = ("transient", "permanent", "temporary")
COUNTS = ("start", "min", "max")
CALLED = {
    "run": ("self",),
    "down": ("self", "peer", "why"),
    "joined": ("self", "peer"),
    "left": ("self", "peer"),
    "leaving": ("self",),
}
"""What the methods take that the runtime calls, and that have to be `async def`."""


@dataclass(frozen=True, slots=True)
class ActorTable:
    """A table of the file; `cls` is None where its class could not be loaded.

    A live one has `bounds`, and its `count` is the most actors it may have.
    """

    name: str
    actor: str
    cls: type | None
    count: int
    places: tuple[Place, ...]
    beside: str | None
    processes: int | None
    threads: int
    restart: str
    max_restarts: int
    max_seconds: float
    arguments: Mapping[str, Any]
    bounds: Bounds | None = None

    @property
    def where(self) -> Where:
        """What the table is called in errors."""
        return Where(self.name)


@dataclass(frozen=True, slots=True)
class _Keys:
    """The reserved keys of one table, each read with its own check."""

    raw: Mapping[str, Any]
    where: Where
    problems: Problems

    def whole(self, key: str, least: int, default: Any) -> Any:
        value = self.raw.get(key, default)
        if value is default or (type(value) is int and value >= least):
            return value
        text = f"a whole number from {least} on is wanted"
        self.problems.add(self.where.at(key).holds(value), text)
        return default

    def seconds(self) -> float:
        value = self.raw.get("max_seconds", 60.0)
        if type(value) in (int, float) and value > 0:
            return float(value)
        self.problems.add(self.where.at("max_seconds").holds(value), "seconds above 0 are wanted")
        return 60.0

    def restart(self) -> str:
        value = self.raw.get("restart", RESTARTS[0])
        if value in RESTARTS:
            return str(value)
        known = ", ".join(RESTARTS)
        close = nearest(str(value), RESTARTS)
        text = f"there is no such kind of restart{close}; there are {known}"
        self.problems.add(self.where.at("restart").holds(value), text)
        return RESTARTS[0]

    def bounds(self) -> Bounds | None:
        value = self.raw.get("count")
        if not isinstance(value, Mapping):
            return None
        sizes = [value.get(key) for key in COUNTS]
        whole = all(type(size) is int for size in sizes) and len(value) == len(COUNTS)
        if not whole or not 1 <= value["min"] <= value["start"] <= value["max"]:
            text = "start, min and max are wanted, whole numbers with 1 <= min <= start <= max"
            self.problems.add(self.where.at("count").holds(value), text)
            return None
        return Bounds(**value)

    def count(self, default: int, bounds: Bounds | None) -> int:
        if bounds is not None:
            return bounds.max
        written = isinstance(self.raw.get("count"), Mapping)
        return default if written else int(self.whole("count", 1, default))

    def beside(self) -> str | None:
        value = self.raw.get("beside")
        if value is not None and not isinstance(value, str):
            text = 'the name of a table is wanted, such as "network"'
            self.problems.add(self.where.at("beside").holds(value), text)
            return None
        for key in ("on", "processes"):
            if value is not None and key in self.raw:
                text = f"beside = {value!r} says already where these actors live; leave one out"
                self.problems.add(self.where.at(key).holds(self.raw[key]), text)
        return value


def read_table(
    name: str, raw: Mapping[str, Any], places: Places, imports: Imports, problems: Problems
) -> ActorTable:
    """Return a table of the file; each fault in its reserved keys is reported."""
    keys = _Keys(raw, Where(name), problems)
    on = places.read(raw.get("on"), keys.where.at("on"), problems)
    bounds = keys.bounds()
    count = keys.count(len(on), bounds)
    if count % len(on):
        text = f"this is no multiple of the {len(on)} places in `on`"
        where = keys.where.at("count") if bounds is None else keys.where.at("count").at("max")
        problems.add(where.holds(count), text)
    actor, cls = _load(raw, keys.where, imports, problems)
    return ActorTable(
        name, actor, cls, count, on,
        beside=keys.beside(),
        processes=keys.whole("processes", 1, None),
        threads=keys.whole("threads", 1, 1),
        restart=keys.restart(),
        max_restarts=keys.whole("max_restarts", 0, 3),
        max_seconds=keys.seconds(),
        arguments={key: value for key, value in raw.items() if key not in RESERVED},
        bounds=bounds,
    )  # fmt: skip


def _load(
    raw: Mapping[str, Any], where: Where, imports: Imports, problems: Problems
) -> tuple[str, type | None]:
    if "actor" not in raw:
        known = nearest("actor", raw)
        problems.add(where, f'`actor = "module:Class"` is missing{known}')
        return "", None
    loaded = imports.load(raw["actor"], where.at("actor"))
    if loaded is None:
        return "", None
    path, cls = loaded
    if not isinstance(cls, type):
        text = f"this is {article(type(cls).__name__)}, but a class is wanted"
        problems.add(where.at("actor").holds(path), text)
        return path, None
    _check_class(cls, where.at("actor").holds(path), problems)
    return path, cls


def _check_class(cls: type, where: str, problems: Problems) -> None:
    run = getattr(cls, "run", None)
    if inspect.isabstract(cls):
        lacking = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        problems.add(where, f"{cls.__name__} is abstract; it does not define {lacking}")
    if run is None and not handlers(cls):
        text = f"{cls.__name__} has neither a message (a public `async def`) nor a run()"
        problems.add(where, text)
    _check_called(cls, where, problems)
    for name in dir(cls):
        if not name.startswith("_") and inspect.isasyncgenfunction(getattr(cls, name)):
            text = f"{cls.__name__}.{name} yields, but a message gives one answer; return a list"
            problems.add(where, text)
    for handler in handlers(cls).values():
        _check_handler(handler, where, problems)


def _check_called(cls: type, where: str, problems: Problems) -> None:
    for name, taken in CALLED.items():
        method = getattr(cls, name, None)
        sound = inspect.iscoroutinefunction(method) and _takes(method, len(taken))
        if method is not None and not sound:
            wanted = f"async def {name}({', '.join(taken)})"
            problems.add(where, f"{cls.__name__}.{name} must be `{wanted}`")


def _check_handler(handler: Handler, where: str, problems: Problems) -> None:
    if handler.batch and not _takes(handler.function, 2):
        text = f"{handler.title} is batched, so it takes self and one list (or stacked tensor)"
        problems.add(where, text)
    elif not handler.batch and not _takes(handler.function, 1, more=True):
        problems.add(where, f"{handler.title} takes no self, so it cannot be called as a message")


def _takes(function: Any, size: int, *, more: bool = False) -> bool:
    """Whether a function can be called with `size` arguments by position, or begins with them."""
    found = inspect.signature(function)
    try:
        (found.bind_partial if more else found.bind)(*range(size))
    except TypeError:
        return False
    return True
