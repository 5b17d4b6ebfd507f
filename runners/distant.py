"""A process on another host, as home sees it: its agent there starts, watches and kills it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tether.actors.journal import Key
from tether.runners.exchange import Trunk
from tether.runners.members import Hear
from tether.runners.wills import Rows

if TYPE_CHECKING:
    from tether.runners.host import Host

MARGIN = 2.0
"""Seconds that an agent may take longer to see the end of a process than the process itself."""


@dataclass(slots=True)
class Beats:
    """What a process on another host shows of itself, by home's clock."""

    process_beat: float = 0.0
    loop_beat: float = 0.0
    stall: str = ""
    incomplete: bool = False


class Distant:
    """A process on another host. Without its agent nothing is known of it, its journal neither."""

    def __init__(self, name: str, host: Host) -> None:
        self.name = name
        self.host = host
        self.number = 0
        self.box = Beats()
        self.trunk: Trunk | None = None
        self._hear: Hear | None = None
        self._rows: Rows = []
        self._raw = (0.0, 0.0)
        self._waiting: list[tuple[Any, ...]] = []
        self._over = asyncio.Event()

    async def start(self, hear: Hear, order: Mapping[str, Any]) -> None:
        """Have it started as soon as its host has an agent."""
        self._hear, self.number = hear, order["start"]
        why = await self.host.present(self)
        if self._over.is_set():
            return
        if why or self.host.trunk is None:
            self._end()
            hear(self, "unbuilt", why, "")
            return
        self.trunk = self.host.trunk
        self.host.members[self.name] = self
        self.trunk.put("start", self.name, dict(order))
        waiting, self._waiting = self._waiting, []
        for word, *details in waiting:
            self.order(word, *details)

    def order(self, word: str, *details: Any) -> None:
        """Have it do something; before it is started, that waits."""
        if word == "close":  # what it has counted by then comes with its answer
            self._rows = []
        if self.trunk is not None:
            self.trunk.put("order", self.name, self.number, word, details)
        elif not self._over.is_set():
            self._waiting.append((word, *details))

    def said(self, word: str, details: Sequence[Any], rows: Rows | None, incomplete: bool) -> None:
        """Take what it has said, and its journal where that belongs to it."""
        if rows is not None:
            self._rows, self.box.incomplete = rows, incomplete
        if word == "died":
            self._end()
        if word == "ready":  # a sign of life, though its host were not heard of again
            self.box.process_beat = self.box.loop_beat = self.host.home.clock.now()
        if self._hear is not None:
            self._hear(self, word, *self._in_our_time(word, details))

    def _in_our_time(self, word: str, details: Sequence[Any]) -> Sequence[Any]:
        """Return what was said with the moments of reports by home's clock."""
        if word != "news" or self.trunk is None:
            return details
        reports, *rest = details
        offset = self.trunk.line.offset
        return [[[at + offset, *report] for at, *report in reports], *rest]

    def showed(self, process_beat: float, loop_beat: float, stall: str) -> None:
        """Take its beats, by the clock of its host."""
        offset = self.trunk.line.offset if self.trunk is not None else 0.0
        if process_beat != self._raw[0]:
            self.box.process_beat = process_beat + offset
        if loop_beat != self._raw[1]:
            self.box.loop_beat = loop_beat + offset
        self._raw, self.box.stall = (process_beat, loop_beat), stall

    def lost(self, why: str) -> None:
        """Learn that its host is lost, and all that it had counted."""
        self._rows, self.box.incomplete = [], True
        self._end()
        if self._hear is not None:
            self._hear(self, "died", why)

    def rows(self) -> Iterable[tuple[Key, Sequence[int]]]:
        """Return what its journal said when it last ended something; nothing before."""
        return self._rows

    def kill(self) -> None:
        """Have it killed, or never started."""
        if self.trunk is None:
            self._end()
        else:
            self.trunk.put("kill", self.name, self.number)

    def _end(self) -> None:
        self._over.set()
        if self.host.members.get(self.name) is self:
            del self.host.members[self.name]

    async def end(self, patience: float) -> None:
        """Have its agent wait so long for its end and then kill it; wait until that is told."""
        if self.trunk is None:
            self._end()
        if self._over.is_set() or self.trunk is None:
            return
        self.trunk.put("end", self.name, self.number, patience)
        try:
            async with asyncio.timeout(patience + MARGIN):
                await self._over.wait()
        except TimeoutError:
            self._end()
