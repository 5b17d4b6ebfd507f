"""From what a wiring file holds to what a parameter takes: checked, and nothing built yet."""

from __future__ import annotations

import dataclasses
import enum
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Literal, get_args

from tether.actors.group import Group
from tether.runners.arguments import make, record
from tether.runners.handles import group, handle, names_all
from tether.runners.hints import (
    ARRAYS,
    TABLES,
    article,
    bare,
    choices,
    head,
    inner,
    is_device,
    shown,
)
from tether.runners.problems import Where, listed
from tether.runners.references import Reference, Word, check_word, parse
from tether.runners.scene import Scene
from tether.runners.values import DictValue, ListValue, Special, Value

PATHS = (pathlib.Path, pathlib.PurePath, os.PathLike)
KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "an array",
    dict: "a table",
}


def convert(raw: Any, hint: Any, where: Where, scene: Scene) -> Value:
    """Return what stands for `raw` where `hint` is wanted; faults go to the scene's problems."""
    if isinstance(raw, Mapping) and "make" in raw:
        return make(raw, hint, where, scene, convert)
    if isinstance(raw, str):
        match parse(raw):
            case Reference() as reference:
                return handle(reference, hint, where, scene)
            case Word() as word:
                return _word(word, hint, where, scene)
            case text:
                raw = text
    return _plain(raw, hint, where, scene)


def _word(word: Word, hint: Any, where: Where, scene: Scene) -> Value:
    if not check_word(word, where, scene.problems):
        return None
    value = scene.words[word.name]
    if word.name == "device" and any(is_device(choice) for choice in choices(hint)):
        return Special("device", str(value))
    return _plain(value, hint, where, scene)


def _plain(raw: Any, hint: Any, where: Where, scene: Scene) -> Value:
    members = choices(hint)
    if len(members) > 1:
        return _union(raw, hint, where, scene)
    (hint,) = members
    if isinstance(raw, (list, tuple)):
        return _array(raw, hint, where, scene)
    if isinstance(raw, Mapping):
        return _table(raw, hint, where, scene)
    return _scalar(raw, hint, where, scene)


def _union(raw: Any, hint: Any, where: Where, scene: Scene) -> Value:
    """The first member that takes the value as it is; an int goes to `int` before `float`."""
    members = [choice for choice in choices(hint) if choice not in (None, type(None))]
    if raw is None and len(members) < len(choices(hint)):
        return None
    if len(members) == 1:
        return _plain(raw, members[0], where, scene)
    for member in sorted(members, key=lambda member: member is not type(raw)):
        trial = scene.trial()
        value = _plain(raw, member, where, trial)
        if not trial.problems:
            return value
    return _mismatch(raw, hint, where, scene)


def _array(raw: list[Any] | tuple[Any, ...], hint: Any, where: Where, scene: Scene) -> Value:
    kind = head(hint)
    if kind is Group or (hint is Any and names_all(raw)):
        return group(raw, hint, where, scene)
    if hint is not Any and kind not in ARRAYS:
        return _mismatch(raw, hint, where, scene)
    hints: list[Any] = [inner(hint)] * len(raw)
    if kind is tuple and get_args(hint) and get_args(hint)[-1] is not Ellipsis:
        hints = list(get_args(hint))
        if len(hints) != len(raw):
            found = f"this array has length {len(raw)}, but {shown(hint)} has {len(hints)} items"
            scene.problems.add(where.holds(raw), found)
            return None
    items = (
        convert(item, each, where.at(index), scene)
        for index, (item, each) in enumerate(zip(raw, hints, strict=True))
    )
    return ListValue(tuple(items), ARRAYS.get(kind, "list"))


def _table(raw: Mapping[str, Any], hint: Any, where: Where, scene: Scene) -> Value:
    kind = head(hint)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return record(raw, kind, where, scene, convert)
    if hint is not Any and kind not in TABLES and not hasattr(kind, "__total__"):
        return _mismatch(raw, hint, where, scene)
    key = bare(inner(hint))
    if key not in (str, Any):
        found = f"a table's keys are texts, but {shown(hint)} is wanted"
        scene.problems.add(where.holds(raw), found)
        return None
    hint = inner(hint, 1)
    return DictValue(
        {str(key): convert(item, hint, where.at(key), scene) for key, item in raw.items()}
    )


def _scalar(raw: Any, hint: Any, where: Where, scene: Scene) -> Value:
    kind = head(hint)
    if type(raw) is int and not -(2**63) <= raw < 2**63:
        scene.problems.add(where.holds(raw), "this does not fit into 64 bits")
        return None
    if hint is Any and (raw is None or type(raw) in KINDS):
        return raw  # type: ignore[no-any-return]
    if kind is Literal and (type(raw), raw) in [(type(one), one) for one in get_args(hint)]:
        return raw  # type: ignore[no-any-return]
    if kind is float and type(raw) is int:
        return float(raw)
    if type(raw) is kind and kind in KINDS:
        return raw  # type: ignore[no-any-return]
    if isinstance(raw, str) and kind in PATHS:
        return Special("path", raw)
    if isinstance(raw, str) and isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _member(raw, kind, where, scene)
    return _mismatch(raw, hint, where, scene)


def _member(raw: str, kind: type[enum.Enum], where: Where, scene: Scene) -> Value:
    for name, member in kind.__members__.items():
        if raw in (name, member.value):
            loaded = scene.imports.load(kind, where)
            return Special("enum", f"{loaded[0]} {name}") if loaded else None
    found = f"{kind.__name__} has no such member; it has {listed(kind.__members__)}"
    scene.problems.add(where.holds(raw), found)
    return None


def _mismatch(raw: Any, hint: Any, where: Where, scene: Scene) -> Value:
    found = KINDS.get(type(raw), article(type(raw).__name__))
    scene.problems.add(
        where.holds(raw), f"this is {found}, but {shown(hint)} is wanted{_way(hint)}"
    )
    return None


def _way(hint: Any) -> str:
    """Return how one gets what is wanted, where the file has a way of saying it."""
    kind = head(hint)
    if is_device(kind):
        return '; write "$device"'
    if getattr(kind, "__name__", "") in ("Ref", "Group"):
        return '; write a reference such as "@center" or "@worker[*]"'
    if kind is Any:
        return "; a file holds texts, numbers, true and false, arrays and tables"
    if isinstance(kind, type) and kind.__module__ not in ("builtins", "typing"):
        return '; { make = "module:factory" } builds one'
    return ""
