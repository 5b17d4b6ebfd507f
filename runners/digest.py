"""Digests of all that must be equal on every host: a drifted copy is named, not puzzled over."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from tether.runners.spec import Plan
from tether.runners.values import Make, Special, leaves

PACKAGES = ("tether", "torch")


def digests(plan: Plan) -> dict[str, str]:
    """Return the sha256 of the specs and of each named module's source, and versions, by title.

    Modules that are not loaded are looked up on sys.path and not imported.
    """
    found = {"the wiring": _specs(plan)}
    for module in sorted(set(modules(plan))):
        if source := _source(module):
            found[f"module {module} ({_file(module, source)})"] = hashlib.sha256(
                source.read_bytes()
            ).hexdigest()
    return found | {f"the version of {name}": _version(name) for name in PACKAGES}


def modules(plan: Plan) -> Iterator[str]:
    """Walk the modules of all classes and factories a plan names."""
    for spec in plan.actors:
        yield spec.actor.partition(":")[0]
        for value in spec.arguments.values():
            for leaf in leaves(value):
                match leaf:
                    case Make(path) | Special("enum", path):
                        yield path.partition(":")[0]


def _specs(plan: Plan) -> str:
    data = plan.to_wire()
    told = [data["run"], data["hosts"], data["actors"], data["codecs"]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _source(module: str) -> Path | None:
    if module.partition(".")[0] in sys.stdlib_module_names:
        return None
    loaded = sys.modules.get(module)
    spec = None if loaded else find_spec(module)
    origin = getattr(loaded, "__file__", None) or getattr(spec, "origin", None)
    return Path(origin) if origin and origin.endswith(".py") else None


def _file(module: str, source: Path) -> str:
    """Return a source's name from the folder on, in which modules are looked for."""
    parts = module.split(".")
    return "/".join([*(parts if source.stem == "__init__" else parts[:-1]), source.name])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def drift(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Return a sentence for each thing that is not the same here (`ours`) and there."""
    return [
        f"{title} is {_short(ours.get(title))} here, but {_short(theirs.get(title))} there"
        for title in sorted(ours.keys() | theirs.keys())
        if ours.get(title) != theirs.get(title)
    ]


def _short(digest: str | None) -> str:
    return "absent" if digest is None else digest[:12]
