"""Actors that are sent handles, records and failures, and say what they make of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from tests.conformance import cutting
from tests.conformance.players import Center
from tether.actors import Group, Ref, oneway

__all__ = ["cutting"]


class Point(NamedTuple):
    x: float
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Move:
    """A record that holds records."""

    who: str
    path: list[Point]
    next: Move | None = None
    made: int = field(init=False, default=7)


@dataclass
class Unnamed:
    """A record no signature names."""

    x: int


class Color(IntEnum):
    RED = 1


class Odd:
    """An object of a class nobody knows."""

    def __iter__(self) -> Iterator[int]:
        yield 1


class Stranger:
    """Knows itself by name only, and whom it is told of."""

    def __init__(self, me: Ref[Stranger]) -> None:
        self.me = me
        self.kept: list[Any] = []

    async def itself(self) -> Ref[Stranger]:
        return self.me

    async def knows(self, other: Any) -> tuple[bool, bool, bool, str]:
        """Tell whether a handle that came is one's own, in every way there is to ask."""
        return other == self.me, hash(other) == hash(self.me), other in {self.me: 0}, repr(other)

    async def introduce(self, center: Ref[Center], item: Any) -> Any:
        """Call whom one has been told of."""
        return await center.ask(item)

    async def introduce_all(self, group: Group[Center], item: Any) -> list[Any]:
        return await group.map(Center.ask, item)

    def _private(self) -> None:
        """Is its own affair."""

    async def _also_private(self) -> None:
        """Is its own affair too."""

    def plain(self) -> None:
        """Is no message."""

    async def down(self, peer: Any, why: Exception) -> None:
        """Is called by the runtime only."""

    async def run(self) -> None:
        """Is over at once."""

    async def echo(self, value: Any) -> Any:
        return value

    async def move(self, move: Move) -> Move:
        return move

    async def line(self, points: dict[str, list[Point]]) -> Point | None:
        return points["line"][-1]

    async def move_unnamed(self, move: Any) -> None:
        raise AssertionError(f"{move} came")

    async def unnamed(self) -> Any:
        return Unnamed(1)

    async def a_set(self) -> Any:
        return {1, 2}

    async def keep(self, value: list[Any]) -> None:
        self.kept = value

    @oneway
    async def keep_soon(self, value: list[Any]) -> None:
        self.kept = value

    async def spoil_kept(self) -> None:
        self.kept.append("spoilt by its receiver")
        self.kept[0]["a"] = "spoilt by its receiver"

    async def shown(self) -> list[Any]:
        return self.kept

    async def shown_before(self) -> list[Any]:
        """Answer, and change what was answered at once."""
        asyncio.get_running_loop().call_soon(self.kept.clear)
        return self.kept


class Unknown(Exception):
    """An exception that does not travel."""


class Unwritable(Exception):
    """An exception that cannot be written as text."""

    def __str__(self) -> str:
        raise RuntimeError("there are no words for it")


class Failing:
    """Has handlers that fail."""

    def __init__(self) -> None:
        self.seen = 0

    async def fail(self, kind: str, args: list[Any]) -> None:
        self.seen += 1
        here = {"Unknown": Unknown, "Unwritable": Unwritable}
        raise (here.get(kind) or __builtins__[kind])(*args)  # type: ignore[index]

    async def open(self, path: str) -> None:
        """Open a file that is not there."""
        raise FileNotFoundError(2, "No such file or directory", path)

    async def fail_with_a_note(self) -> None:
        error = ValueError("no such number")
        error.add_note("it was the seventh")
        raise error

    async def cancel(self) -> None:
        raise asyncio.CancelledError

    async def fail_in_a_group(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.fail("ValueError", ["one of many"]))

    @oneway
    async def fail_unseen(self) -> None:
        raise ValueError("nobody waits for it")

    async def count(self) -> int:
        return self.seen


class Between:
    """Asks for somebody else."""

    def __init__(self, failing: Ref[Failing]) -> None:
        self.failing = failing

    async def fail(self, kind: str, args: list[Any]) -> None:
        await self.failing.fail(kind, args)
