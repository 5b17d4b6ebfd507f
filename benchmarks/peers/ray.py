"""Ray: one actor is the center; the driver, or further actors, are the workers."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Span, exchange_rates, microseconds, span, timed, together
from benchmarks.peers.center import Center
from benchmarks.workloads import (
    IN_FLIGHT,
    PAYLOAD,
    SIZES,
    Floats,
    amount,
    numbers,
    observation,
    touch,
)

JOBS = ("W1", "W1-pinned", "W2", "W3-4MB", "W3-40MB", "W3-400MB", "W4", "W5")
STORE = 4 << 30
"""Bytes of Ray's shared object store."""


class Worker:
    """A Ray actor that asks the center."""

    def __init__(self, center: Any) -> None:
        self._center = center
        self._ray: Any = importlib.import_module("ray")

    async def exchange(self, count: int) -> Span:
        """Exchange 4 MB so often, both ends reading it."""
        return await asyncio.to_thread(self._exchanges, count)

    def _exchanges(self, count: int) -> Span:
        x = np.ones(SIZES["4MB"], np.float32)
        return span(lambda: touch(self._ray.get(self._center.exchange.remote(x, True))), count)

    async def play(self, count: int) -> Span:
        """Have 16 agents ask for predictions, so often each."""
        seen = observation(0)

        async def agent() -> None:
            for _ in range(count):
                await self._center.predict.remote(seen)

        start = time.monotonic()
        await asyncio.gather(*(agent() for _ in range(IN_FLIGHT)))
        return start, time.monotonic(), count * IN_FLIGHT


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one job with a Ray of its own, which is shut down afterwards."""
    ray: Any = importlib.import_module("ray")
    ray.init(
        address="local",
        num_cpus=12,
        object_store_memory=STORE,
        logging_level="ERROR",
        include_dashboard=False,
        log_to_driver=False,
    )
    try:
        center = ray.remote(Center).options(num_cpus=0.1).remote()
        ray.get(center.echo.remote(PAYLOAD))
        return _measured(ray, center, job, scale)
    finally:
        ray.shutdown()


def _measured(ray: Any, center: Any, job: str, scale: float) -> dict[str, float]:
    count = amount(job, scale)
    if job == "W4":
        return {job: together(_spans(ray, center, "exchange", 4, count))}
    if job == "W5":
        return {job: together(_spans(ray, center, "play", 2, count))}
    if job == "W2":
        asks = asyncio.run(_ask_rate(center, amount("W2-ask16", scale)))
        return {"W2": _tick_rate(ray, center, count), "W2-ask16": asks}
    if job.startswith("W1"):
        return {job: microseconds(timed(lambda: ray.get(center.echo.remote(PAYLOAD)), count))}
    x = np.ones(numbers(job), np.float32)

    def exchange(touched: bool) -> Floats:
        answer: NDArray[np.float32] = ray.get(center.exchange.remote(x, touched))
        return answer

    return exchange_rates(job, count, exchange)


def _spans(ray: Any, center: Any, message: str, workers: int, count: int) -> list[Span]:
    made = ray.remote(Worker).options(num_cpus=0.1, max_concurrency=64)
    group = [made.remote(center) for _ in range(workers)]
    ray.get([getattr(worker, message).remote(2) for worker in group])
    spans: list[Span] = ray.get([getattr(worker, message).remote(count) for worker in group])
    return spans


def _tick_rate(ray: Any, center: Any, count: int) -> float:
    ray.get(center.ticks.remote())
    start = time.monotonic()
    for _ in range(count):
        center.tick.remote(PAYLOAD)
    arrived = ray.get(center.ticks.remote())
    if arrived != count:
        raise LookupError(f"{arrived} of {count} messages arrived")
    return count / (time.monotonic() - start)


async def _ask_rate(center: Any, count: int) -> float:
    async def ask() -> None:
        for _ in range(count // IN_FLIGHT):
            await center.echo.remote(PAYLOAD)

    start = time.monotonic()
    await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))
    return count // IN_FLIGHT * IN_FLIGHT / (time.monotonic() - start)
