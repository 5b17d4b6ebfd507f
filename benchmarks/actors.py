"""The actors that are measured: written as any user of tether would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import asking
from benchmarks.measure import Memory, Span
from benchmarks.workloads import BATCH, SIZES, SMALL, Floats, amount, numbers, observation, touch
from benchmarks.workloads import predictions as predicted
from tether.actors import Ref, batched, buffer, oneway

if TYPE_CHECKING:
    from torch import Tensor


class Center:
    """Answers whatever is asked of it."""

    def __init__(self) -> None:
        self._ticks = 0
        self._theirs: Tensor | None = None
        self._memory: Memory | None = None

    async def echo(self, payload: bytes) -> bytes:
        """Give back what came."""
        return payload

    @oneway
    async def tick(self, payload: bytes) -> None:  # noqa: ARG002 - it is received, not read
        """Count a message."""
        self._ticks += 1

    async def ticks(self) -> int:
        """Return how many were counted, and begin again."""
        count, self._ticks = self._ticks, 0
        return count

    async def exchange(self, x: Tensor, touched: bool, written: bool) -> Tensor:
        """Answer a vector with one of the same size; if touched, read it, and write the answer.

        If that is not to be written it is lent as it lies in transport memory.
        """
        answer = buffer(tuple(x.shape), x.dtype)
        if touched:
            touch(x.numpy())
        if touched and written:
            if self._theirs is None or len(self._theirs) != len(x):
                self._theirs = x.clone()
            answer.copy_(self._theirs)
        return answer

    @batched(max_size=BATCH, max_wait=0, stack=True)
    async def predict(self, observations: Tensor) -> Tensor:
        """Answer (k, 28224) bytes with (k, 7) numbers."""
        import torch

        return torch.from_numpy(predicted(observations.numpy()))

    async def level(self) -> None:
        """Take the memory held now, with all that is imported, as the level to measure from."""
        buffer(1)
        self._memory = Memory()

    async def risen(self) -> float:
        """Return how far memory rose above the level, in MB."""
        return 0.0 if self._memory is None else self._memory.risen()


class Worker:
    """Measures from its own life, where a protocol's worker makes its calls."""

    def __init__(
        self, center: Ref[Center], index: int, borrowed: bool = True, written: bool = True
    ) -> None:
        self._center = center
        self._index = index
        self._borrowed = borrowed
        self._written = written
        self._orders: asyncio.Queue[tuple[str, float, asyncio.Future[Any]]] = asyncio.Queue()

    async def run(self) -> None:
        """Measure whatever is asked for."""
        while True:
            job, scale, done = await self._orders.get()
            try:
                done.set_result(await self._measure(job, amount(job, scale), scale))
            except Exception as error:
                done.set_exception(error)

    async def rows(self, job: str, scale: float) -> dict[str, float]:
        """Return the rows of a job this worker does alone."""
        found: dict[str, float] = await self._done(job, scale)
        return found

    async def span(self, job: str, scale: float) -> Span:
        """Return when this worker's share of a job began and ended, and how much it was."""
        found: Span = await self._done(job, scale)
        return found

    async def durations(self, job: str, scale: float) -> list[int]:
        """Return the nanoseconds of every ask of a job."""
        found: list[int] = await self._done(job, scale)
        return found

    async def _done(self, job: str, scale: float) -> Any:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._orders.put_nowait((job, scale, done))
        return await done

    def _measure(self, job: str, count: int, scale: float) -> Awaitable[Any]:
        if job == "W2":
            return self._rates(scale)
        if job == "W4":
            return self._share(count)
        if job == "W5":
            return self._play(count)
        if job.startswith("W3"):
            return self._exchanges(job, count)
        return asking.latencies(self._center, count)

    async def _rates(self, scale: float) -> dict[str, float]:
        return {
            "W2": await asking.tick_rate(self._center, amount("W2", scale)),
            "W2-ask16": await asking.ask_rate(self._center, amount("W2-ask16", scale)),
        }

    async def _share(self, count: int) -> Span:
        x = self._vector(SIZES["4MB"])
        exchange = partial(self._moved, x)
        return await asking.span(lambda: asking.touched(exchange), count)

    def _vector(self, count: int) -> Tensor:
        import torch

        return buffer(count).fill_(1) if self._borrowed else torch.ones(count)

    async def _moved(self, x: Tensor, touched: bool) -> Floats:
        answer: Floats = (await self._center.exchange(x, touched, self._written)).numpy()
        return answer

    async def _exchanges(self, job: str, count: int) -> dict[str, float]:
        await self._moved(self._vector(SMALL), True)  # the code it takes is in memory from now on
        x = self._vector(numbers(job))
        memory = Memory()
        await self._center.level()
        rows = await asking.exchange_rates(job, count, partial(self._moved, x))
        rows[f"{job}-worker"] = memory.risen()
        rows[f"{job}-center"] = await self._center.risen()
        return rows

    async def _play(self, count: int) -> Span:
        import torch

        seen = torch.from_numpy(observation(self._index))
        return await asking.span(lambda: self._center.predict(seen), count)


class Mover:
    """Keeps a vector of so many numbers moving for as long as it lives."""

    def __init__(self, center: Ref[Center], numbers: int) -> None:
        self._center = center
        self._numbers = numbers
        self._moving = asyncio.Event()

    async def moving(self) -> None:
        """Return once the first exchange is over."""
        await self._moving.wait()

    async def run(self) -> None:
        """Exchange, one after the other."""
        x = buffer(self._numbers)
        while True:
            await self._center.exchange(x, False, False)
            self._moving.set()
