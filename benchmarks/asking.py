"""The workloads of an asyncio client, whatever carries its calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from benchmarks.measure import Span, warm_up
from benchmarks.workloads import IN_FLIGHT, PAYLOAD, Floats, touch

Exchange = Callable[[bool], Awaitable[Floats]]
"""Sends the vector and returns the answer; says whether the center is to read it."""


class Echo(Protocol):
    """Who answers small messages, and counts those that want no answer."""

    async def echo(self, payload: bytes) -> bytes:
        """Give back what came."""
        ...

    async def tick(self, payload: bytes) -> None:
        """Count a message."""
        ...

    async def ticks(self) -> int:
        """Return how many were counted, and begin again."""
        ...


async def latencies(center: Echo, count: int) -> list[int]:
    """Return the nanoseconds of each of `count` asks, after some that are not counted."""
    for _ in range(count // 10 + 1):
        await center.echo(PAYLOAD)
    durations = []
    for _ in range(count):
        start = time.perf_counter_ns()
        await center.echo(PAYLOAD)
        durations.append(time.perf_counter_ns() - start)
    return durations


async def tick_rate(center: Echo, count: int, breathe: int = 0) -> float:
    """Return how many messages without answers arrive in a second; LookupError if any is lost.

    A sender that never waits gives the loop its turn after every `breathe` messages.
    """
    await center.ticks()
    start = time.monotonic()
    for sent in range(count):
        await center.tick(PAYLOAD)
        if breathe and sent % breathe == 0:
            await asyncio.sleep(0)
    arrived = await center.ticks()
    if arrived != count:
        raise LookupError(f"{arrived} of {count} messages arrived")
    return count / (time.monotonic() - start)


async def ask_rate(center: Echo, count: int) -> float:
    """Return how many asks a second are answered with 16 in flight."""

    async def ask() -> None:
        for _ in range(count // IN_FLIGHT):
            await center.echo(PAYLOAD)

    start = time.monotonic()
    await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))
    return count // IN_FLIGHT * IN_FLIGHT / (time.monotonic() - start)


async def span(call: Callable[[], Awaitable[object]], count: int) -> Span:
    """Make `count` calls one after the other, after some that are not counted; say when."""
    for _ in range(warm_up(count)):
        await call()
    start = time.monotonic()
    for _ in range(count):
        await call()
    return start, time.monotonic(), count


async def touched(exchange: Exchange) -> None:
    """Exchange once, both ends reading what they get."""
    touch(await exchange(True))


async def exchange_rates(job: str, count: int, exchange: Exchange) -> dict[str, float]:
    """Return both rows of an exchange: handed over untouched, and read by both ends."""
    calls = {
        f"{job}-untouched": lambda: exchange(False),
        f"{job}-touched": lambda: touched(exchange),
    }
    rates = {}
    for row, call in calls.items():
        start, end, done = await span(call, count)
        rates[row] = done / (end - start)
    return rates
