"""What an agent says of itself before it takes part: all that has to be the same on every host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tether.actors.frames import VERSION
from tether.runners.spec import Plan

WIRE = "the version of the wire"


def hello(plan: Plan) -> dict[str, str]:
    """Return the versions and digests of this host, by what they are of."""
    return {WIRE: str(VERSION), **plan.digests}


def differences(
    here: Mapping[str, str], there: Mapping[str, Any], host: str, other: str
) -> list[str]:
    """Return a sentence for each thing that is not the same on a host and on another one."""
    return [
        f"{title} is {_short(here.get(title))} on host {host}, but {_short(there.get(title))} on "
        f"host {other}; {_cure(title)}"
        for title in sorted(here.keys() | there.keys())
        if here.get(title) != there.get(title)
    ]


def _short(digest: object) -> str:
    return "absent" if digest is None else str(digest)[:12]


def _cure(title: str) -> str:
    if title.startswith("the version"):
        return "install the same one on both"
    if title == "the wiring":
        return "start both with the same file and the same --set"
    return "copy the right one to the other host"
