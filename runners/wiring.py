"""Read a wiring file: tables as they stand, with what the command line changes in them."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tether.runners.problems import Problems, WiringError, nearest

TOP = ("run", "hosts", "edges")
"""Tables that are not actors."""


def read(path: Path | str) -> dict[str, Any]:
    """Return the tables of a wiring file; a file that cannot be read raises WiringError."""
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise WiringError([f"{path.name} cannot be read as TOML: {error}"]) from None
    except UnicodeDecodeError as error:
        raise WiringError([f"{path.name} is not text in UTF-8: byte {error.start}"]) from None
    except OSError as error:
        raise WiringError([f"{path} cannot be read: {error.strerror}"]) from None
    if not tables:
        raise WiringError([f"{path.name} is empty; a wiring has one table for each kind of actor"])
    return tables


def override(tables: Mapping[str, Any], sets: Iterable[str]) -> dict[str, Any]:
    """Return the tables with each "worker.tau=20" put in its place.

    What stands behind = is TOML; what TOML cannot read is plain text ("run.device=cpu").
    """
    changed = copy.deepcopy(dict(tables))
    problems = Problems()
    for text in sets:
        _set(changed, text, problems)
    problems.check()
    return changed


def _set(tables: dict[str, Any], text: str, problems: Problems) -> None:
    dotted, equals, value = text.partition("=")
    keys = [key.strip() for key in dotted.split(".")]
    if not equals or len(keys) < 2 or not all(keys):
        problems.add(f"--set {text}", "this is not of the form table.key=value")
    elif keys[0] not in (*tables, *TOP):
        known = nearest(keys[0], tables)
        problems.add(f"--set {text}", f"there is no [{keys[0]}] in this file{known}")
    else:
        _put(tables, keys, parse(value.strip()), f"--set {text}", problems)


def _put(
    tables: dict[str, Any], keys: Sequence[str], value: Any, where: str, problems: Problems
) -> None:
    table = tables
    for depth, key in enumerate(keys[:-1], 1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            problems.add(where, f"{'.'.join(keys[:depth])} is not a table, so it holds no keys")
            return
    table[keys[-1]] = value


def parse(text: str) -> Any:
    """Return the TOML value of a text, or the text itself where TOML cannot read it."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text


__all__ = ["TOP", "WiringError", "override", "parse", "read"]
