"""Actors that are many: the members of a group, and one who asks them all."""

from __future__ import annotations

from typing import Any

from tests.conformance import cutting
from tests.conformance.gates import pass_through, touch, until
from tests.conformance.players import waiting
from tether.actors import Group, QuorumMissed, oneway

__all__ = ["cutting"]


class Member:
    """Answers by its index, as soon as it may."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.seen: list[Any] = []

    async def hold_until_withdrawn(self, told: str) -> None:
        """Be busy until a message waits, tell of it, and go on when it does not wait any more."""
        await until(lambda: waiting() == 1)
        touch(told)
        await until(lambda: waiting() == 0)

    async def answer(self, x: int) -> int:
        self.seen.append(x)
        return x + self.index

    async def answer_after(self, x: int, gates: list[str]) -> int:
        """Answer when one's own gate is open; there may be none."""
        self.seen.append(x)
        if gates[self.index]:
            await pass_through(gates[self.index])
        return x + self.index

    async def diverge(self, x: int, who: list[int], gate: str = "") -> int:
        """Fail if one is among those who do, after a gate if there is one."""
        self.seen.append(x)
        if self.index in who:
            if gate:
                await pass_through(gate)
            raise ValueError(f"{self.index} diverged")
        return x + self.index

    @oneway
    async def note(self, item: Any) -> None:
        self.seen.append(item)

    async def handled(self) -> list[Any]:
        return self.seen


class Leader:
    """Asks members for enough answers, and takes what comes late."""

    def __init__(self, members: Group[Member]) -> None:
        self.members = members
        self.inside = 0
        self.late: list[int] = []

    async def fold(self, answer: int) -> None:
        self.late.append(answer)

    async def first(self, size: int, gates: list[str], *, late: bool) -> list[Any]:
        """Ask all; return answers, who gave them, and why the others did not."""
        fold = self.fold if late else None
        answers = await self.members.first(size, late=fold).map(Member.answer_after, 10, gates)
        return [list(answers), answers.members, answers.missing]

    async def first_within(self, size: int, limit: float, gates: list[str]) -> list[Any]:
        """Ask all; return what the error holds that says that there were not enough in time."""
        try:
            await self.members.first(size, within=limit).map(Member.answer_after, 10, gates)
        except QuorumMissed as missed:
            return [str(missed), missed.answers, missed.members, missed.missing]
        raise AssertionError("there were enough")

    async def first_of_failing(self, size: int, who: list[int]) -> list[Any]:
        try:
            answers = await self.members.first(size).map(Member.diverge, 10, who)
        except QuorumMissed as missed:
            return [str(missed), missed.answers, missed.members, missed.missing]
        return ["", list(answers), answers.members, answers.missing]

    async def came_late(self) -> list[int]:
        return self.late
