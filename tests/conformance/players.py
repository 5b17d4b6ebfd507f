"""Actors without torch, so that their processes start at once; each has one way to behave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.conformance import cutting
from tests.conformance.gates import block, pass_through, until
from tether.actors import Ref, batched, oneway, within
from tether.actors.context import acting, deadline

__all__ = ["cutting"]


def waiting() -> int:
    """Return how many messages wait for the actor that is acting."""
    here = acting.get()
    assert here is not None
    return len(here.cell.mailbox)


class Center:
    """Keeps what it is sent, in the order in which it handles it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def ask(self, item: Any, load: Any = None) -> Any:
        self.seen.append(item)
        return item

    @oneway
    async def note(self, item: Any, load: Any = None) -> None:
        self.seen.append(item)

    @oneway(keep="latest")
    async def adopt(self, item: Any) -> None:
        self.seen.append(item)

    async def handled(self) -> list[Any]:
        return self.seen

    async def hold(self, gate: str, least: int = 0) -> int:
        """Be busy until a gate is open and so many messages wait; return how many do."""
        await pass_through(gate)
        await until(lambda: waiting() >= least)
        return waiting()

    async def block(self, gate: str) -> None:
        """Hold up the event loop until a gate is open."""
        block(gate)


class Caller:
    """Calls a center, so that the messages are another actor's than the test's."""

    def __init__(self, center: Ref[Center]) -> None:
        self.center = center

    async def note(self, items: list[Any], load: Any = None) -> None:
        for item in items:
            await self.center.note(item, load)

    async def adopt(self, item: Any) -> None:
        await self.center.adopt(item)

    async def ask(self, item: Any) -> Any:
        return await self.center.ask(item)

    async def hold(self, gate: str, least: int = 0) -> int:
        return await self.center.hold(gate, least)

    async def ping(self) -> str:
        return "here"


class Turnstile:
    """Counts how many are inside, and ticks in its own life."""

    def __init__(self) -> None:
        self.inside = self.most = self.passed = self.ticks = 0

    async def run(self) -> None:
        while True:
            self.ticks += 1
            await asyncio.sleep(0.001)

    @asynccontextmanager
    async def _inside(self) -> AsyncIterator[None]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(3):
            await asyncio.sleep(0)
        yield
        self.inside -= 1
        self.passed += 1

    async def enter(self) -> None:
        async with self._inside():
            return

    @oneway
    async def slip_through(self) -> None:
        async with self._inside():
            return

    async def wait_for_ticks(self, many: int) -> int:
        """Wait for what only the own life can bring about."""
        end = self.ticks + many
        await until(lambda: self.ticks >= end)
        return self.ticks

    async def counted(self) -> tuple[int, int]:
        return self.most, self.passed


class Visitor:
    """Enters a turnstile, many times at once."""

    def __init__(self, turnstile: Ref[Turnstile]) -> None:
        self.turnstile = turnstile

    async def visit(self, times: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(times):
                group.create_task(self.turnstile.enter())
                group.create_task(self.turnstile.slip_through())


class Oracle:
    """Answers in batches, and keeps what each of them held."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @batched(max_size=4, max_wait=0)
    async def predict(self, states: list[int]) -> list[int | Exception]:
        self.seen.append(states)
        return [LookupError(f"no state {s}") if s < 0 else 10 * s for s in states]

    @batched(max_size=2, max_wait=15)
    async def pair(self, states: list[int]) -> list[int]:
        return [sum(states)] * len(states)

    @batched(max_size=4, max_wait=0)
    async def lose_one(self, states: list[int]) -> list[int]:
        return states[1:]

    @batched(max_size=4, max_wait=0)
    async def refuse(self, states: list[int]) -> list[int]:
        raise LookupError(f"none of {len(states)}")

    async def note(self, item: int) -> None:
        self.seen.append(item)

    async def handled(self) -> list[Any]:
        return self.seen

    async def gather(self, many: int, gate: str = "") -> None:
        """Be busy until so many messages wait, and a gate is open if there is one."""
        if gate:
            await pass_through(gate)
        await until(lambda: waiting() >= many)


class Seeker:
    """Asks an oracle, so that not all questions are the test's."""

    def __init__(self, oracle: Ref[Oracle]) -> None:
        self.oracle = oracle

    async def seek(self, state: int) -> int:
        return await self.oracle.predict(state)

    async def seek_pair(self, state: int) -> int:
        return await self.oracle.pair(state)


class Slow(Center):
    """A center that says how much time it is given, and notes when it has come to an end."""

    async def hold_and_note(self, gate: str, item: Any) -> Any:
        """Be busy until a gate is open, then note something."""
        await pass_through(gate)
        self.seen.append(item)
        return item

    async def remaining(self) -> float | None:
        """Return how many seconds are left of the time that was given."""
        end = deadline.get()
        return None if end is None else end - asyncio.get_running_loop().time()


class Between:
    """Asks one who is slow, with the time that it is given itself."""

    def __init__(self, slow: Ref[Slow]) -> None:
        self.slow = slow

    async def ask(self, item: Any) -> Any:
        return await self.slow.ask(item)

    async def note(self, item: Any) -> None:
        await self.slow.note(item)

    async def remaining(self, limit: float | None = None) -> float | None:
        if limit is None:
            return await self.slow.remaining()
        async with within(limit):
            return await self.slow.remaining()

    async def ping(self) -> str:
        return "here"


class Link:
    """One of those who may come to wait for each other."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.outcome = ""

    async def relay(self, path: list[Any], gate: str = "") -> str:
        """Have the next of a path pass it on, after a gate if there is one."""
        if gate:
            await pass_through(gate)
        return await path[0].relay(path[1:]) if path else "arrived"

    async def flood(self, other: Any, many: int, gate: str) -> int:
        """Send more than another has room for."""
        await pass_through(gate)
        for number in range(many):
            await other.note(number)
        return many

    @oneway
    async def note(self, item: Any) -> None:
        self.seen.append(item)

    async def handled(self) -> list[Any]:
        return self.seen


class Beginner(Link):
    """Asks, in its own life, one who asks it back."""

    def __init__(self, me: Ref[Beginner], other: Ref[Link], last: Ref[Link]) -> None:
        super().__init__()
        self.me, self.other, self.last = me, other, last

    async def run(self) -> None:
        self.outcome = await self.other.relay([self.me, self.last])

    async def how_it_went(self) -> str:
        return self.outcome
