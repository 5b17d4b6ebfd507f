"""The table [edges]: how what the actors of one table send to those of another is made smaller."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tether.actors.compression import CODECS, Codec, Way
from tether.runners.edges import reaches
from tether.runners.problems import Problems, Where, listed, nearest
from tether.runners.spec import ActorSpec, CodecSpec, Plan

EDGE = re.compile(r"\s*(\w+)\s*->\s*(\w+)\s*")
SAMPLE = '"worker -> center" = { codec = "bf16" }'


def read_edges(raw: Any, tables: Collection[str], problems: Problems) -> tuple[CodecSpec, ...]:
    """Return the codec of each edge that [edges] names, between tables of the file."""
    if not isinstance(raw, Mapping):
        problems.add("[edges]", f"this is {raw!r}, but a table is wanted, as {SAMPLE}")
        return ()
    found: dict[tuple[str, str], CodecSpec] = {}
    for title, value in raw.items():
        where = Where("edges").at(title)
        ends = EDGE.fullmatch(title)
        if ends is None:
            problems.add(where, f"this is no edge between two tables, as {SAMPLE} has one")
            continue
        source, target = ends.groups()
        for name in [name for name in (source, target) if name not in tables]:
            text = f"there is no [{name}] in this file{nearest(name, tables)}"
            problems.add(where, f"{text}; it has {listed(tables)}")
        if (source, target) in found:
            problems.add(where, "this edge stands here twice")
        found[source, target] = CodecSpec(source, target, *_codec(value, where, problems))
    return tuple(found.values())


def _codec(raw: Any, where: Where, problems: Problems) -> tuple[str, dict[str, Any]]:
    """Return the name of a codec and all its parameters."""
    if not isinstance(raw, Mapping) or "codec" not in raw:
        problems.add(where.holds(raw), f"a table with a codec is wanted, as in {SAMPLE}")
        return "", {}
    name = raw["codec"]
    codec = CODECS.get(name) if isinstance(name, str) else None
    if codec is None:
        known = nearest(str(name), CODECS)
        text = f"there is no such codec{known}; there are {listed(CODECS)}"
        problems.add(where.at("codec").holds(name), text)
        return "", {}
    given = {key: value for key, value in raw.items() if key != "codec"}
    return codec.name, _parameters(codec, given, where, problems)


def _parameters(
    codec: Codec, given: Mapping[str, Any], where: Where, problems: Problems
) -> dict[str, Any]:
    known = codec.parameters
    for key in [key for key in given if key not in known]:
        text = f"{codec.name} takes no such key{nearest(key, known)}; it takes {listed(known)}"
        problems.add(where.at(key), text)
    values: dict[str, Any] = {}
    for key, parameter in known.items():
        value = values[key] = given.get(key, parameter.default)
        if key not in given and value is None:
            problems.add(f"{where.at(key)} is missing", f"{codec.name} needs {parameter.wanted}")
        elif not parameter.fits(value):
            problems.add(where.at(key).holds(value), f"{parameter.wanted} is wanted")
    return values


def check_talk(
    codecs: Iterable[CodecSpec], actors: Iterable[ActorSpec], problems: Problems
) -> None:
    """Report edges on which nothing travels: neither table is given handles on the other."""
    talk = {(spec.table, name.partition("/")[0]) for spec in actors for _, name in reaches(spec)}
    for one in codecs:
        if not {(one.source, one.target), (one.target, one.source)} & talk:
            text = f"nothing travels here: neither [{one.source}] nor [{one.target}] is given the"
            problems.add(Where("edges").at(one.edge), f"{text} other in this file")


def ways(plan: Plan) -> dict[tuple[str, str], Way]:
    """Return how a plan has tensors made smaller, for the runtime."""
    return {(one.source, one.target): Way(CODECS[one.codec], one.parameters) for one in plan.codecs}


def lines(plan: Plan) -> list[str]:
    """Return a line for each edge that has a codec."""
    return [f"[edges] {one.edge}: {one}" for one in plan.codecs]
