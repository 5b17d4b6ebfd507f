"""Dataclasses and NamedTuples: which a handler's signature lets in, and what they are made of."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from tether.actors.handlers import Handler


@cache
def argument_records(handler: Handler) -> dict[str, type]:
    """Return the record classes a message's arguments may hold, by name."""
    hints = {name: hint for name, hint in _hints(handler).items() if name != "return"}
    return {cls.__name__: cls for hint in hints.values() for cls in _records(hint, set())}


@cache
def answer_records(handler: Handler) -> dict[str, type]:
    """Return the record classes a message's answer may hold, by name."""
    hint = _hints(handler).get("return")
    return {cls.__name__: cls for cls in _records(hint, set())}


def _hints(handler: Handler) -> dict[str, Any]:
    """Return the annotations; where they cannot be resolved at run time there are no records."""
    try:
        return typing.get_type_hints(handler.function)
    except Exception:  # an annotation is any expression, so evaluating it may raise anything
        return {}


def _records(hint: Any, seen: set[type]) -> Iterator[type]:
    for inner in typing.get_args(hint):
        yield from _records(inner, seen)
    if not isinstance(hint, type) or hint in seen or not _is_record(hint):
        return
    seen.add(hint)
    yield hint
    try:
        fields = typing.get_type_hints(hint)
    except Exception:  # as above
        return
    for inner in fields.values():
        yield from _records(inner, seen)


def _is_record(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) or (issubclass(cls, tuple) and hasattr(cls, "_fields"))


def fields_of(value: Any) -> list[Any]:
    """Return the fields of a dataclass or NamedTuple in order; TypeError for anything else."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, name) for name in _names(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(value)
    raise TypeError(
        f"a {type(value).__module__}.{type(value).__qualname__} does not travel; None, bool, int, "
        "float, str, bytes, list, tuple, dict, Ref, Group, tensors, arrays, dataclasses and "
        "NamedTuples do"
    )


def made_record(cls: type, fields: list[Any]) -> Any:
    """Return a dataclass or NamedTuple with these fields, in order."""
    if dataclasses.is_dataclass(cls):
        return cls(**dict(zip(_names(cls), fields, strict=True)))
    return cls(*fields)


def _names(record: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(record) if field.init]
