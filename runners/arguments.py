"""Arguments by name against what a constructor, a factory or a dataclass takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from tether.runners.annotations import Signature, signature
from tether.runners.hints import article, assignable, shown
from tether.runners.problems import Where, listed, nearest
from tether.runners.scene import Scene
from tether.runners.values import Make, Value

Convert: TypeAlias = Callable[[Any, Any, Where, Scene], Value]


def supplied(
    title: str,
    taken: Signature,
    given: Mapping[str, Any],
    reserved: Iterable[str],
    where: Where,
    scene: Scene,
    convert: Convert,
) -> dict[str, Value]:
    """Return the arguments given for `title`, after reporting unknown, missing and wrong ones."""
    for name in taken.parameters.keys() & set(reserved):
        text = f"{title} takes {name}, which is a key of the wiring itself; rename the parameter"
        scene.problems.add(where, text)
    known = {name: one for name, one in taken.parameters.items() if name not in reserved}
    for name, parameter in known.items():
        if parameter.required and parameter.by_position_only:
            scene.problems.add(
                where, f"{title} takes {name} by position only; a wiring gives it by name"
            )
        elif parameter.required and name not in given:
            scene.problems.add(f"{where.at(name)} is missing", f"{title} needs it")
    values = {}
    for name, raw in given.items():
        if name not in known and taken.rest is None:
            text = f"{title} takes no such argument{nearest(name, known)}; it takes {listed(known)}"
            scene.problems.add(where.at(name), text)
        if name in taken.unresolved:
            scene.note(where.at(name), f"its type is not checked: {taken.unresolved[name]}")
        hint = known[name].hint if name in known else taken.rest
        values[name] = convert(raw, Any if hint is None else hint, where.at(name), scene)
    return values


def make(raw: Mapping[str, Any], hint: Any, where: Where, scene: Scene, convert: Convert) -> Value:
    """Return what `{ make = "module:factory", … }` is to be built from; it is not called."""
    given = {key: value for key, value in raw.items() if key not in ("make", "share")}
    share = raw.get("share", "process")
    if share != "process":
        scene.problems.add(where.at("share").holds(share), 'only "process" can share an object')
    loaded = scene.imports.load(raw["make"], where.at("make"))
    if loaded is None:
        supplied("", signature(dict), given, (), where, scene, convert)
        return None
    path, factory = loaded
    title = path.partition(":")[2] if "'" in path else path
    if not _usable(title, factory, where, scene):
        return None
    taken = signature(factory)
    if taken.opaque:
        scene.note(where, f"its arguments are not checked: {title} does not say what it takes")
    arguments = supplied(title, taken, given, ("make", "share"), where, scene, convert)
    if not assignable(taken.returns, hint):
        text = f"{title} gives {article(shown(taken.returns))}, but {shown(hint)} is wanted"
        scene.problems.add(where, text)
    return Make(path, arguments, raw.get("share") == "process", str(where))


def _usable(title: str, factory: Any, where: Where, scene: Scene) -> bool:
    if not callable(factory):
        text = f"{title} is {article(type(factory).__name__)}, which cannot be called"
        scene.problems.add(where, text)
    elif inspect.iscoroutinefunction(factory):
        scene.problems.add(where, f"{title} is async; a factory is a plain function")
    else:
        return True
    return False


def record(
    raw: Mapping[str, Any], cls: type, where: Where, scene: Scene, convert: Convert
) -> Value:
    """Return what a table that becomes the dataclass `cls` is to be built from."""
    loaded = scene.imports.load(cls, where)
    arguments = supplied(cls.__name__, signature(cls), raw, (), where, scene, convert)
    return Make(loaded[0], arguments, where=str(where)) if loaded else None
