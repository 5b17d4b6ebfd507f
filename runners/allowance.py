"""How much memory and how many files this process may have: less than the machine has, often."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
FILES = 1 << 16
"""Descriptors that a process wants at most: four connections a peer, two a segment."""


def memory() -> int:
    """Return the bytes that all processes started here may have together."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        groups = OWN.read_text()
    except OSError:
        return machine
    return least(machine, map(_text, limits(groups, CGROUPS)))


def limits(groups: str, root: Path) -> Iterator[Path]:
    """Walk the files that may limit the memory of who is in these groups, of both versions.

    Each group has one, and so have all above it.
    """
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _upwards(root, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _upwards(root / "memory", path, "memory.limit_in_bytes")


def _upwards(root: Path, path: str, file: str) -> Iterator[Path]:
    group = root / path.strip("/")
    yield group / file
    for above in group.parents:
        if above.is_relative_to(root):
            yield above / file


def least(machine: int, texts: Iterable[str]) -> int:
    """Return the smallest limit of these texts, or the machine's memory if that is less."""
    return min([machine, *(int(text) for text in texts if text.strip().isdecimal())])


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # there is no limit here, or it is not ours to see
        return ""


def more_files() -> None:
    """Let this process have as many descriptors as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
