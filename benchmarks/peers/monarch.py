"""Monarch: one process mesh for the center, one for each worker."""

from __future__ import annotations

import asyncio
import importlib
import time
from functools import partial
from typing import Any

import numpy as np

from benchmarks.asking import ask_rate, exchange_rates, latencies, span, touched
from benchmarks.measure import Span, microseconds, together
from benchmarks.peers import center
from benchmarks.workloads import IN_FLIGHT, PAYLOAD, SIZES, Floats, amount, numbers, observation

monarch: Any = importlib.import_module("monarch.actor")
endpoint: Any = monarch.endpoint

JOBS = ("W1", "W2", "W3-4MB", "W3-40MB", "W4", "W5")
WORKERS = {"W4": 4, "W5": 2}


class Center(monarch.Actor):  # type: ignore[misc]
    """The center as a Monarch actor."""

    def __init__(self) -> None:
        self._center = center.Center()

    @endpoint  # type: ignore[untyped-decorator]
    async def call(self, message: str, given: tuple[Any, ...]) -> Any:
        """Handle a message of the center."""
        return getattr(self._center, message)(*given)


class Client:
    """The center's messages as methods."""

    def __init__(self, ref: Any) -> None:
        self._ref = ref

    async def echo(self, payload: bytes) -> bytes:
        """Have a payload sent back."""
        answer: bytes = await self._ref.call.call_one("echo", (payload,))
        return answer

    async def tick(self, payload: bytes) -> None:
        """Send what has no answer."""
        self._ref.call.broadcast("tick", (payload,))

    async def ticks(self) -> int:
        """Return how many ticks arrived."""
        arrived: int = await self._ref.call.call_one("ticks", ())
        return arrived

    async def exchange(self, x: Floats, touched: bool) -> Floats:
        """Send the vector, and return the one that answers it."""
        answer: Floats = await self._ref.call.call_one("exchange", (x, touched))
        return answer

    async def predict(self, seen: Any) -> Floats:
        """Have one observation answered."""
        answer: Floats = await self._ref.call.call_one("predict", (seen,))
        return answer


class Worker(monarch.Actor):  # type: ignore[misc]
    """Does its share of a job from a process of its own."""

    def __init__(self, ref: Any) -> None:
        self._center = Client(ref)

    @endpoint  # type: ignore[untyped-decorator]
    async def share(self, job: str, count: int) -> Span:
        """Say when the share began and ended, and how much it was."""
        if job == "W4":
            exchange = partial(self._center.exchange, np.ones(SIZES["4MB"], np.float32))
            return await span(lambda: touched(exchange), count)
        seen = observation(0)
        spans = await asyncio.gather(
            *(span(partial(self._center.predict, seen), count) for _ in range(IN_FLIGHT))
        )
        starts, ends, counts = zip(*spans, strict=True)
        return min(starts), max(ends), sum(counts)


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one job."""
    return asyncio.run(_measured(job, scale))


async def _measured(job: str, scale: float) -> dict[str, float]:
    ref = _spawn("center", Center)
    count = amount(job, scale)
    if job in WORKERS:
        group = [_spawn(f"worker{k}", Worker, ref) for k in range(WORKERS[job])]
        spans = await asyncio.gather(*(worker.share.call_one(job, count) for worker in group))
        return {job: together(spans)}
    client = Client(ref)
    if job == "W2":
        asks = await ask_rate(client, amount("W2-ask16", scale))
        return {"W2": await _tick_rate(client, count), "W2-ask16": asks}
    if job.startswith("W1"):
        return {job: microseconds(await latencies(client, count))}
    exchange = partial(client.exchange, np.ones(numbers(job), np.float32))
    return await exchange_rates(job, count, exchange)


def _spawn(name: str, cls: type, *given: Any) -> Any:
    return monarch.this_host().spawn_procs(per_host={"gpus": 1}).spawn(name, cls, *given)


async def _tick_rate(client: Client, count: int) -> float:
    """Count until all have come: a later ask may overtake."""
    await client.ticks()
    start, left = time.monotonic(), count
    for _ in range(count):
        await client.tick(PAYLOAD)
    while left > 0:
        left -= await client.ticks()
    return count / (time.monotonic() - start)
