"""The processes of a host that is not home, which its agent starts and kills at home's word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tether.runners.members import Member

TELLING = frozenset({"crashed", "departed", "closed", "died"})
"""Words with which a process's journal goes home."""


class Crew:
    """All processes that were started here and live; `put` tells home what they say.

    `beside` has something done while home is listened to.
    """

    def __init__(
        self,
        make: Callable[[str], Member],
        put: Callable[..., None],
        beside: Callable[[Awaitable[None]], object],
    ) -> None:
        self._make = make
        self._put = put
        self._beside = beside
        self._known: dict[str, tuple[int, Member]] = {}

    @property
    def members(self) -> list[Member]:
        """All that live."""
        return [member for _, member in self._known.values()]

    def start(self, process: str, order: Mapping[str, Any]) -> None:
        """Start a process."""
        member = self._make(process)
        self._known[process] = order["start"], member
        self._beside(member.start(self._said, order))

    def _said(self, member: Member, word: str, *details: Any) -> None:
        """Tell home what a process says."""
        number = next((n for n, known in self._known.values() if known is member), 0)
        rows, incomplete = None, False
        if word in TELLING:
            rows = [(tuple(key), list(row)) for key, row in member.rows()]
            incomplete = member.box is not None and member.box.incomplete
        self._put("said", member.name, number, word, details, rows, incomplete)
        if word == "died":
            self._forget(member)

    def _forget(self, *members: Member) -> None:
        self._known = {k: known for k, known in self._known.items() if known[1] not in members}

    def _member(self, process: str, number: int) -> Member | None:
        """Return a process, if this start of it still lives."""
        known = self._known.get(process)
        return known[1] if known is not None and known[0] == number else None

    def order(self, process: str, number: int, word: str, details: Sequence[Any]) -> None:
        """Have a process do something."""
        if member := self._member(process, number):
            member.order(word, *details)

    def kill(self, process: str, number: int) -> None:
        """Make an end of a process now."""
        if member := self._member(process, number):
            member.kill()

    def end(self, process: str, number: int, patience: float) -> None:
        """Wait so long for the end of a process, then make one."""
        if member := self._member(process, number):
            self._beside(member.end(patience))

    def beats(self) -> list[tuple[Any, ...]]:
        """Return what each process shows of itself."""
        return [
            (name, number, member.box.process_beat, member.box.loop_beat, member.box.stall)
            for name, (number, member) in self._known.items()
            if member.box is not None
        ]

    async def end_all(self) -> None:
        """Make an end of all processes."""
        while members := self.members:
            for member in members:
                member.kill()
            await asyncio.gather(*(member.end(0.0) for member in members))
            self._forget(*members)
