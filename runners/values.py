"""What an actor is built from: a tree that travels between processes and names, never holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class ListValue:
    """An array; `kind` is what it becomes: "list" or "tuple"."""

    items: tuple[Value, ...]
    kind: str = "list"


@dataclass(frozen=True, slots=True)
class DictValue:
    """A table that stays one."""

    items: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class RefTo:
    """A handle on one actor, by name (`center/0`)."""

    name: str


@dataclass(frozen=True, slots=True)
class GroupOf:
    """Handles on several actors, by name and in order.

    With `live_table` they are those of that table who are there at the time, without the actor
    `without`; `names` are then all who may ever be.
    """

    names: tuple[str, ...]
    live_table: str = ""
    without: str = ""


@dataclass(frozen=True, slots=True)
class Make:
    """Something to be built where the actor lives, by calling `path` ("module:factory").

    With `share` all actors of a process get the same object; `where` is what an error calls it.
    """

    path: str
    arguments: Mapping[str, Value]
    share: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Special:
    """A text that becomes an object: `kind` is "path", "device" (torch.device) or "enum".

    An enum's text is "module:Enum" and the member's name, with a blank between them.
    """

    kind: str
    text: str


Value: TypeAlias = ListValue | DictValue | RefTo | GroupOf | Make | Special | Scalar


def value_to_wire(value: Value) -> Any:
    """Return the tree as plain data: scalars as they are, all else as an array behind a tag."""
    match value:
        case ListValue(items, kind):
            return ["list", kind, [value_to_wire(item) for item in items]]
        case DictValue(items):
            return ["dict", tree_to_wire(items)]
        case RefTo(name):
            return ["ref", name]
        case GroupOf(names, live_table, without):
            return ["group", list(names), live_table, without]
        case Make(path, arguments, share, where):
            return ["make", path, tree_to_wire(arguments), share, where]
        case Special(kind, text):
            return [kind, text]
    return value


def value_from_wire(data: Any) -> Value:
    """Return the tree that `value_to_wire` wrote."""
    match data:
        case ["list", kind, items]:
            return ListValue(tuple(value_from_wire(item) for item in items), kind)
        case ["dict", items]:
            return DictValue(tree_from_wire(items))
        case ["ref", name]:
            return RefTo(name)
        case ["group", names, live_table, without]:
            return GroupOf(tuple(names), live_table, without)
        case ["make", path, arguments, share, where]:
            return Make(path, tree_from_wire(arguments), share, where)
        case ["path" | "device" | "enum" as kind, text]:
            return Special(kind, text)
        case None | bool() | int() | float() | str():
            return data
    raise ValueError(f"a plan holds {data!r}, which is no value of a wiring")


def tree_to_wire(tree: Mapping[str, Value]) -> dict[str, Any]:
    """Return named values as plain data."""
    return {key: value_to_wire(value) for key, value in tree.items()}


def tree_from_wire(data: Mapping[str, Any]) -> dict[str, Value]:
    """Return the named values that `tree_to_wire` wrote."""
    return {key: value_from_wire(value) for key, value in data.items()}


def leaves(value: Value) -> Iterator[Value]:
    """Walk a tree: every value that holds no others, and every Make."""
    match value:
        case ListValue(items):
            for item in items:
                yield from leaves(item)
        case DictValue(items):
            for item in items.values():
                yield from leaves(item)
        case Make(_, arguments):
            yield value
            for item in arguments.values():
                yield from leaves(item)
        case _:
            yield value


def makes(arguments: Mapping[str, Value]) -> Iterator[Make]:
    """Walk all that is to be made for an actor's arguments, the outer before the inner."""
    for value in arguments.values():
        yield from (leaf for leaf in leaves(value) if isinstance(leaf, Make))
