"""Places of a wiring: a host and, on it, the CPU or one GPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tether.runners.problems import Problems, Where, listed, nearest

PLACE = re.compile(r"(?:([A-Za-z_]\w*)/)?(?:cpu|gpu([0-9]+))")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an actor runs; `gpu` is the GPU's number on its host, None for the CPU."""

    host: str = ""
    gpu: int | None = None

    def __str__(self) -> str:
        device = "cpu" if self.gpu is None else f"gpu{self.gpu}"
        return f"{self.host}/{device}" if self.host else device


@dataclass(frozen=True, slots=True)
class Places:
    """Reads the key `on`, given the file's hosts; `cpu` puts all GPU places on the CPU."""

    hosts: Mapping[str, str]
    cpu: bool = False

    def read(self, raw: Any, where: Where, problems: Problems) -> tuple[Place, ...]:
        """Return the places of an `on`; without one it is the first host, or this machine."""
        first = Place(next(iter(self.hosts), ""))
        if raw is None:
            return (first,)
        texts = list(raw) if isinstance(raw, (list, tuple)) else [raw]
        if not texts:
            problems.add(where.holds(raw), "at least one place is wanted")
        places = [self._place(text, where, problems) or first for text in texts]
        return tuple(places) or (first,)

    def _place(self, text: Any, where: Where, problems: Problems) -> Place | None:
        if isinstance(text, str) and text in self.hosts:
            return Place(text)
        found = PLACE.fullmatch(text) if isinstance(text, str) else None
        if found and (found[1] or "") in (self.hosts or {"": ""}):
            gpu = None if self.cpu or found[2] is None else int(found[2])
            return Place(found[1] or "", gpu)
        problems.add(where.holds(text), self._wanted(text))
        return None

    def _wanted(self, text: Any) -> str:
        if not self.hosts:
            return 'a file without [hosts] knows the places "cpu", "gpu0", "gpu1" and so on'
        home = next(iter(self.hosts))
        close = nearest(str(text).split("/")[0], self.hosts)
        return (
            f"this is no place{close}; the hosts are {listed(self.hosts)}, "
            f'and a place is "{home}", "{home}/cpu" or "{home}/gpu0"'
        )
