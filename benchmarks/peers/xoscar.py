"""xoscar: a pool of processes, the center in one and workers in others."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.asking import ask_rate, exchange_rates, latencies, span, touched
from benchmarks.measure import Span, microseconds, together
from benchmarks.peers import center
from benchmarks.workloads import IN_FLIGHT, PAYLOAD, SIZES, Floats, amount, numbers, observation

xoscar: Any = importlib.import_module("xoscar")

JOBS = ("W1", "W1-pinned", "W2", "W3-4MB", "W3-40MB", "W3-400MB", "W4", "W5")
WORKERS = {"W4": 4, "W5": 2}
BURST = 500
"""Messages that are handed over together."""


class Center(xoscar.Actor, center.Center):  # type: ignore[misc]
    """The center as an xoscar actor."""

    async def exchange(self, x: Floats, touched: bool) -> Floats:  # type: ignore[override]
        """Answer a vector with one of the same size; four workers never end if this is no task."""
        return center.Center.exchange(self, x, touched)


class Worker(xoscar.StatelessActor):  # type: ignore[misc]
    """Measures from a process of its own."""

    def __init__(self, center: Any) -> None:
        self._center = center

    async def measure(self, job: str, scale: float) -> Any:
        """Return a job's rows, or this worker's share of one."""
        count = amount(job, scale)
        if job == "W4":
            x = np.ones(SIZES["4MB"], np.float32)
            return await span(lambda: touched(partial(self._exchange, x)), count)
        if job == "W5":
            return await self._play(count)
        if job == "W2":
            asks = await ask_rate(self._center, amount("W2-ask16", scale))
            return {"W2": await self._tick_rate(count), "W2-ask16": asks}
        if job.startswith("W1"):
            return {job: microseconds(await latencies(self._center, count))}
        x = np.ones(numbers(job), np.float32)
        return await exchange_rates(job, count, partial(self._exchange, x))

    async def _exchange(self, x: Floats, touched: bool) -> Floats:
        answer: Floats = await self._center.exchange(x, touched)
        return answer

    async def _tick_rate(self, count: int) -> float:
        await self._center.ticks()
        start, left = time.monotonic(), count
        for sent in range(0, count, BURST):
            burst = range(min(BURST, count - sent))
            await asyncio.gather(*(self._center.tick.send(PAYLOAD) for _ in burst))
        while left > 0:
            left -= await self._center.ticks()
        return count / (time.monotonic() - start)

    async def _play(self, count: int) -> Span:
        seen = observation(0)
        ask: Callable[[], Awaitable[object]] = partial(self._center.predict, seen)
        spans = await asyncio.gather(*(span(ask, count) for _ in range(IN_FLIGHT)))
        starts, ends, counts = zip(*spans, strict=True)
        return min(starts), max(ends), sum(counts)


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one job in a pool of its own."""
    return asyncio.run(_measured(job, scale))


async def _measured(job: str, scale: float) -> dict[str, float]:
    workers = WORKERS.get(job, 1)
    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=workers + 1)
    async with pool:
        create = partial(xoscar.create_actor, address=pool.external_address)
        process = xoscar.allocate_strategy.ProcessIndex
        ref = await create(Center, uid="center", allocate_strategy=process(1))
        group = [
            await create(Worker, ref, uid=f"worker{k}", allocate_strategy=process(k + 2))
            for k in range(workers)
        ]
        found = await asyncio.gather(*(worker.measure(job, scale) for worker in group))
        rows: dict[str, float] = {job: together(found)} if job in WORKERS else found[0]
        return rows
