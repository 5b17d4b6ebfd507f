"""What a network file says, read and checked against the plan it is for."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from tether.runners.distribution import SIZES, Distribution
from tether.runners.distribution import read as read_distribution
from tether.runners.network import ANY, Network, Route, Rule, names_of
from tether.runners.problems import Problems, Where, WiringError, listed, nearest
from tether.runners.quantities import rate, seconds, share
from tether.runners.spec import Plan

Tables = Path | str | Mapping[str, Any]
"""A TOML file, or its tables."""
ENDS = ("from", "to", "between")


def known_names(plan: Plan) -> frozenset[str]:
    """Return all names that a network or faults file may use."""
    return names_of(plan) | frozenset(plan.hosts)


def load(path: Path | str) -> dict[str, Any]:
    """Return the tables of a TOML file; one that cannot be read raises WiringError."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WiringError([f"{path} cannot be read: {error}"]) from None


def tables_of(given: Tables | None) -> tuple[Mapping[str, Any], Path]:
    """Return the tables of a network or faults file, and the folder of what they name."""
    if given is None or isinstance(given, Mapping):
        return given or {}, Path.cwd()
    return load(given), Path(given).absolute().parent


def read_network(tables: Mapping[str, Any], folder: Path, plan: Plan) -> Network:
    """Return the network that a file describes; all its faults together raise WiringError."""
    problems, known = Problems(), known_names(plan)
    taken = {"start", "line", "resend", "link", "compute"}
    for key in [key for key in tables if key not in taken]:
        text = f"there is no such key{nearest(key, taken)}; there are {listed(sorted(taken))}"
        problems.add(key, text)
    given: dict[str, Any] = {
        key: read_distribution(tables[key], Where("network").at(key), problems, folder)
        for key in ("start", "line")
        if key in tables
    }
    if "resend" in tables:
        given["resend"] = seconds(tables["resend"], Where("network").at("resend"), problems)
    rules = _all_rules(tables.get("link", []), problems, known, folder)
    compute = _compute(tables.get("compute", {}), problems, known, folder)
    problems.check()
    return Network(rules, compute, **given)


def ends(
    raw: Mapping[str, Any], where: Where, problems: Problems, known: Collection[str]
) -> list[tuple[str, str]]:
    """Return whom something lies between: `from` and `to`, or both ways `between` two."""
    between = raw.get("between")
    if between is None:
        pair = (raw.get("from", ANY), raw.get("to", ANY))
        found = [pair]
    elif isinstance(between, list) and len(between) == 2 and "from" not in raw and "to" not in raw:
        found = [tuple(between), tuple(reversed(between))]
    else:
        text = 'two names are wanted, as ["worker", "center"], and neither from nor to beside'
        problems.add(where.at("between").holds(between), text)
        return []
    for key, name in zip(("from", "to"), found[0], strict=True):
        check_name(name, where.at("between" if between else key), problems, known)
    return found


def check_name(name: Any, where: Where, problems: Problems, known: Collection[str]) -> None:
    """Report a name of nobody."""
    if not isinstance(name, str) or name not in known:
        text = f"there is no such actor, table or host{nearest(str(name), known)}"
        problems.add(where.holds(name), f"{text}; there are {listed(sorted(known)[:12])}")


def _all_rules(raws: Any, problems: Problems, known: Collection[str], folder: Path) -> list[Rule]:
    if not isinstance(raws, list):
        problems.add(Where("link").holds(raws), "tables are wanted, each headed [[link]]")
        return []
    rules: list[Rule] = []
    for index, raw in enumerate(raws):
        where = Where("link").at(index)
        if isinstance(raw, Mapping):
            rules += _rules(raw, where, problems, known, folder)
        else:
            problems.add(where.holds(raw), "a table of its keys is wanted")
    return rules


def _rules(
    raw: Any, where: Where, problems: Problems, known: Collection[str], folder: Path
) -> list[Rule]:
    taken = {part.name for part in fields(Route)}
    keys: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in (*taken, *ENDS):
            text = f"there is no such key{nearest(key, taken)}; there are"
            problems.add(where.at(key), f"{text} {listed([*ENDS, *sorted(taken)])}")
        elif key not in ENDS:
            keys[key] = read_link(key, value, where.at(key), problems, folder)
    return [Rule(source, target, keys) for source, target in ends(raw, where, problems, known)]


def read_link(key: str, value: Any, where: Where, problems: Problems, folder: Path) -> Any:
    """Return what one key says of a link."""
    if key == "latency":
        return read_distribution(value, where, problems, folder)
    if key == "bandwidth":
        return rate(value, where, problems)
    return (seconds if key == "late" else share)(value, where, problems)


def _compute(
    raw: Any, problems: Problems, known: Collection[str], folder: Path
) -> dict[str, dict[str, Distribution]]:
    found: dict[str, dict[str, Distribution]] = {}
    if not isinstance(raw, Mapping):
        problems.add(Where("compute").holds(raw), "a table of times by name is wanted")
        return found
    for name, value in raw.items():
        where = Where("compute").at(name)
        check_name(name, where, problems, known)
        one = not isinstance(value, Mapping) or next(iter(value), "") in SIZES
        pieces = {"gradient": value} if one else value
        found[name] = {
            piece: read_distribution(time, where.at(piece), problems, folder)
            for piece, time in pieces.items()
        }
    return found
