"""One other host as home knows it: its agent, if there is one, and the processes it has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tether.actors.journal import Key
from tether.runners.distant import Distant
from tether.runners.exchange import Trunk
from tether.runners.parcel import Arrivals

if TYPE_CHECKING:
    from tether.runners.home import Home


class Host:
    """What home has of a host; `trunk` is the line to its agent since that has called.

    Only when that has answered, home is known to reach it too.
    """

    def __init__(self, name: str, home: Home) -> None:
        self.name = name
        self.home = home
        self.trunk: Trunk | None = None
        self.members: dict[str, Distant] = {}
        self.answered = False
        self.silent = 0.0
        """Seconds during which home listened and nothing came."""
        self.done = False
        self._arrivals = Arrivals(home.plan, name, home.folder)

    async def present(self, member: Distant) -> str:
        """Wait until there is an agent; return why the process is not made, if none came."""
        run = self.home.conductor
        seconds = run.plan.run.wait
        try:
            async with asyncio.timeout(seconds):
                await run.until(lambda: self.answered)
        except TimeoutError:
            for entry in run.roster.of(member.name):
                entry.supervision.gave_up = f"none came in {seconds:g} s"
            return f"host {self.name} has no agent"
        return "" if self.answered else "the run is ending"

    def take(self, word: str, *details: Any) -> None:
        """Take a word of its agent."""
        getattr(self, f"_{word}")(*details)

    def _said(
        self,
        process: str,
        number: int,
        word: str,
        details: Sequence[Any],
        rows: Sequence[Sequence[Any]] | None,
        incomplete: bool,
    ) -> None:
        member = self.members.get(process)
        if member is not None and member.number == number:
            known = None if rows is None else [(Key(*key), row) for key, row in rows]
            member.said(word, details, known, incomplete)

    def _beats(self, beats: Sequence[Sequence[Any]]) -> None:
        for process, number, *shown in beats:
            member = self.members.get(process)
            if member is not None and member.number == number:
                member.showed(*shown)

    def _left(self, why: str) -> None:
        """Hear that the agent ends, and all its processes with it."""
        self._confirm()
        self.home.lose(self, why)

    def _file(self, folder: str, name: str, offset: int, data: bytes, last: bool) -> None:
        self._arrivals.take(folder, name, offset, data, last=last)
        self._confirm()

    def _done(self) -> None:
        """Hear that its agent has nothing more to say."""
        self.done = True
        self._confirm()

    def _confirm(self) -> None:
        """Tell the agent at once what has come: it waits for that before it says more."""
        if self.trunk is not None:
            self.trunk.beat()

    def call(self, trunk: Trunk) -> None:
        """Have a line to an agent that has called."""
        self.trunk, self.answered, self.silent = trunk, False, 0.0

    def lost(self, why: str) -> None:
        """Let go of its agent: all its processes are as good as dead."""
        self.trunk, self.answered, self.silent = None, False, 0.0
        for member in list(self.members.values()):
            member.lost(why)
