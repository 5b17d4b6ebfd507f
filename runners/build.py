"""Build an actor where it lives: its class, and all that its wiring says to make."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tether.runners.sharing import shared_key
from tether.runners.spec import ActorSpec
from tether.runners.values import DictValue, GroupOf, ListValue, Make, RefTo, Special, Value


def build(
    spec: ActorSpec,
    ref: Callable[[str], Any],
    group: Callable[[GroupOf], Any],
    shared: dict[str, Any],
    objects: Mapping[str, Any],
) -> Any:
    """Return the actor itself.

    `ref` gives a handle by name and `group` a group, live or fixed; `shared` keeps what the
    process's actors share, and `objects` holds what need not be imported, by path. An exception of
    a factory or constructor passes on with a note that says where in the wiring it stands.
    """
    builder = _Builder(ref, group, shared, objects)
    return builder.call(spec.actor, spec.arguments, f"[{spec.table}]", f"{spec.name}: ")


def find(path: str, objects: Mapping[str, Any]) -> Any:
    """Return what "module:name" names, from `objects` where it is there."""
    if path in objects:
        return objects[path]
    module, _, attribute = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found


@dataclass(frozen=True, slots=True)
class _Builder:
    ref: Callable[[str], Any]
    group: Callable[[GroupOf], Any]
    shared: dict[str, Any]
    objects: Mapping[str, Any]

    def call(self, path: str, arguments: Mapping[str, Value], where: str, who: str = "") -> Any:
        built = {key: self.value(value) for key, value in arguments.items()}
        try:
            return find(path, self.objects)(**built)
        except Exception as error:
            error.add_note(f"{who}while {path} was called for {where}")
            raise

    def value(self, value: Value) -> Any:
        match value:
            case ListValue(items, kind):
                built = [self.value(item) for item in items]
                return tuple(built) if kind == "tuple" else built
            case DictValue(items):
                return {key: self.value(item) for key, item in items.items()}
            case RefTo(name):
                return self.ref(name)
            case GroupOf():
                return self.group(value)
            case Make():
                return self.make(value)
            case Special():
                return self.special(value)
        return value

    def make(self, make: Make) -> Any:
        if not make.share:
            return self.call(make.path, make.arguments, make.where)
        key = shared_key(make)
        if key not in self.shared:
            self.shared[key] = self.call(make.path, make.arguments, make.where)
        return self.shared[key]

    def special(self, special: Special) -> Any:
        if special.kind == "path":
            return Path(special.text)
        if special.kind == "device":
            import torch

            return torch.device(special.text)
        path, _, member = special.text.rpartition(" ")
        return find(path, self.objects)[member]
