"""Plain pyzmq on a uvloop: the socket's descriptor is watched, one message is one send."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import numpy as np
import uvloop
import zmq

from benchmarks.asking import ask_rate, exchange_rates, latencies, span, tick_rate, touched
from benchmarks.measure import Memory, Span, microseconds
from benchmarks.peers import zmq_wire as wire
from benchmarks.results import spread
from benchmarks.workloads import IN_FLIGHT, SIZES, SMALL, Floats, amount, numbers, observation

JOBS = ("W1", "W1-pinned", "W2", "W3-4MB", "W3-40MB", "W3-400MB", "W4", "W5", "ping")
BREATHE = 64
"""Messages after which the loop gets its turn."""
PINGS_SPARED = 10
"""Pings are sent this much more seldom: each waits behind 40 MB on the same socket."""


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one job."""
    if job == "W4":
        return {job: wire.rate_of(serve, _alive(_work, amount(job, scale)), 4)}
    if job == "W5":
        return {job: wire.rate_of(serve, _alive(_play, amount(job, scale)), 2)}
    rows: dict[str, float] = wire.with_center(serve, [_alive(_alone, job, scale)])[0]
    return rows


def _alive(work: Callable[..., Awaitable[Any]], *given: Any) -> Callable[[str], Any]:
    async def live(address: str) -> Any:
        return await work(Client(address), *given)

    return lambda address: uvloop.run(live(address))


class Pump:
    """Calls `drain` whenever there may be something to receive."""

    def __init__(self, end: zmq.Socket[bytes], drain: Callable[[], bool]) -> None:
        self._end = end
        self._drain = drain
        self._due = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(int(end.getsockopt(zmq.FD)), self.look)
        self.look()

    def look(self) -> None:
        """Look soon: the descriptor signals changes only, and a send may swallow one."""
        if not self._due:
            self._due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._due = False
        if self._drain() or int(self._end.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            self.look()


def serve(address: str) -> None:
    """Be the center, until killed."""

    async def live() -> None:
        end = wire.open_socket(zmq.ROUTER, address, bind=True)
        Pump(end, wire.Service(end).drain)
        await asyncio.Event().wait()

    uvloop.run(live())


class Client:
    """One socket on the loop; asks are told apart by their numbers."""

    def __init__(self, address: str) -> None:
        self._end = wire.open_socket(zmq.DEALER, address)
        self._pending: dict[bytes, asyncio.Future[Any]] = {}
        self._number = 0
        self._loop = asyncio.get_running_loop()
        self._pump = Pump(self._end, self._drain)

    def _drain(self) -> bool:
        for _ in range(wire.DRAIN):
            try:
                first, vector = wire.received(self._end)
            except zmq.Again:
                return False
            answer = first[wire.HEAD :] if vector is None else vector
            self._pending.pop(first[1 : wire.HEAD]).set_result(answer)
        return True

    def ask(self, want: bytes, body: bytes = b"", vector: Any = None) -> asyncio.Future[Any]:
        """Send; the future ends with the answer."""
        self._number += 1
        first = wire.head(want, self._number, body)
        future = self._pending[first[1 : wire.HEAD]] = self._loop.create_future()
        wire.send(self._end, first, vector)
        self._pump.look()
        return future

    async def echo(self, payload: bytes) -> bytes:
        """Have a payload sent back."""
        answer: bytes = await self.ask(wire.ECHO, payload)
        return answer

    async def tick(self, payload: bytes) -> None:
        """Send what has no answer."""
        wire.send(self._end, wire.head(wire.TICK, 0, payload))

    async def ticks(self) -> int:
        """Return how many ticks arrived."""
        return round(await self.number(wire.TICKS))

    async def number(self, want: bytes) -> float:
        """Return a number the center knows."""
        value: float = struct.unpack("<d", await self.ask(want))[0]
        return value

    async def exchange(self, x: Floats, touched: bool) -> Floats:
        """Send the vector, and return the one that answers it."""
        answer = await self.ask(wire.TOUCHED if touched else wire.UNTOUCHED, vector=x)
        return np.frombuffer(answer, np.float32)


async def _alone(client: Client, job: str, scale: float) -> dict[str, float]:
    if job == "W2":
        ticks = await tick_rate(client, amount("W2", scale), BREATHE)
        return {"W2": ticks, "W2-ask16": await ask_rate(client, amount("W2-ask16", scale))}
    if job.startswith("W1"):
        return {job: microseconds(await latencies(client, amount(job, scale)))}
    if job == "ping":
        return await _ping(client, amount(job, scale) // PINGS_SPARED)
    await client.exchange(np.ones(SMALL, np.float32), True)
    x = np.ones(numbers(job), np.float32)
    memory = Memory()
    await client.number(wire.LEVEL)
    rows = await exchange_rates(job, amount(job, scale), partial(client.exchange, x))
    rows[f"{job}-worker"] = memory.risen()
    rows[f"{job}-center"] = await client.number(wire.RISEN)
    return rows


async def _ping(client: Client, count: int) -> dict[str, float]:
    x = np.ones(SIZES["40MB"], np.float32)

    async def move() -> None:
        while True:
            await client.exchange(x, False)

    moving = asyncio.create_task(move())
    durations = await latencies(client, count)
    moving.cancel()
    return spread("ping", durations)


async def _work(client: Client, count: int) -> Span:
    x = np.ones(SIZES["4MB"], np.float32)
    return await span(lambda: touched(partial(client.exchange, x)), count)


async def _play(client: Client, count: int) -> Span:
    seen = observation(0)
    spans = await asyncio.gather(
        *(span(lambda: client.ask(wire.PREDICT, vector=seen), count) for _ in range(IN_FLIGHT))
    )
    starts, ends, counts = zip(*spans, strict=True)
    return min(starts), max(ends), sum(counts)
