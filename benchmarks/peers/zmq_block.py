"""Plain pyzmq, blocking: the least that ZeroMQ costs."""

from __future__ import annotations

import struct
import time
from functools import partial

import numpy as np
import zmq

from benchmarks.measure import Memory, Span, exchange_rates, microseconds, span, timed
from benchmarks.peers import zmq_wire as wire
from benchmarks.workloads import (
    IN_FLIGHT,
    PAYLOAD,
    SIZES,
    SMALL,
    Floats,
    amount,
    numbers,
    observation,
    touch,
)  # fmt: skip

CURVED = ("W3-4MB", "W3-40MB", "W3-400MB")
JOBS = ("W1", "W1-pinned", "W2", "W3-4MB", "W3-40MB", "W3-400MB", "W4", "W5")


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one job."""
    if job == "W4":
        return {job: wire.rate_of(serve, partial(_work, amount(job, scale)), 4)}
    if job == "W5":
        return {job: wire.rate_of(serve, partial(_play, amount(job, scale)), 2)}
    rows: dict[str, float] = wire.with_center(serve, [partial(_alone, job, scale)])[0]
    return rows


def run_curve(job: str, scale: float) -> dict[str, float]:
    """Measure one job over TCP, encrypted by CURVE."""
    keys = wire.Keys.drawn()
    centers, alone = partial(serve, keys=keys), partial(_alone, job, scale, keys=keys)
    rows: dict[str, float] = wire.with_center(centers, [alone], wire.free_port())[0]
    return rows


def serve(address: str, keys: wire.Keys | None = None) -> None:
    """Be the center, until killed."""
    end = wire.open_socket(zmq.ROUTER, address, bind=True, keys=keys)
    service = wire.Service(end)
    while True:
        end.poll()
        service.drain()


class Client:
    """One blocking socket."""

    def __init__(self, address: str, keys: wire.Keys | None = None) -> None:
        self.end = wire.open_socket(zmq.DEALER, address, keys=keys)

    def ask(self, want: bytes, body: bytes = b"", vector: Floats | None = None) -> bytes:
        """Send, and wait for the small answer."""
        wire.send(self.end, wire.head(want, 0, body), vector)
        return self.end.recv()[wire.HEAD :]

    def number(self, want: bytes) -> float:
        """Return a number the center knows."""
        value: float = struct.unpack("<d", self.ask(want))[0]
        return value

    def exchange(self, x: Floats, touched: bool) -> Floats:
        """Send the vector, and return the one that answers it."""
        self.ask(wire.TOUCHED if touched else wire.UNTOUCHED, vector=x)
        return np.frombuffer(self.end.recv(copy=False).buffer, np.float32)


def _alone(job: str, scale: float, address: str, keys: wire.Keys | None = None) -> dict[str, float]:
    client = Client(address, keys)
    if job == "W2":
        ticks = _tick_rate(client, amount("W2", scale))
        return {"W2": ticks, "W2-ask16": _ask_rate(client, amount("W2-ask16", scale))}
    if job.startswith("W1"):
        asks = timed(lambda: client.ask(wire.ECHO, PAYLOAD), amount(job, scale))
        return {job: microseconds(asks)}
    client.exchange(np.ones(SMALL, np.float32), True)
    x = np.ones(numbers(job), np.float32)
    memory = Memory()
    client.number(wire.LEVEL)
    rows = exchange_rates(job, amount(job, scale), partial(client.exchange, x))
    rows[f"{job}-worker"] = memory.risen()
    rows[f"{job}-center"] = client.number(wire.RISEN)
    return rows


def _tick_rate(client: Client, count: int) -> float:
    client.number(wire.TICKS)
    start = time.monotonic()
    for _ in range(count):
        client.end.send(wire.head(wire.TICK, 0, PAYLOAD))
    arrived = client.number(wire.TICKS)
    if arrived != count:
        raise LookupError(f"{arrived:g} of {count} messages arrived")
    return count / (time.monotonic() - start)


def _pipelined(client: Client, first: bytes, vector: Floats | None, count: int) -> Span:
    """Keep 16 asks in flight until `count` are answered."""
    start = time.monotonic()
    for sent in range(count + IN_FLIGHT):
        if sent >= IN_FLIGHT:
            client.end.recv()
        if sent < count:
            wire.send(client.end, first, vector)
    return start, time.monotonic(), count


def _ask_rate(client: Client, count: int) -> float:
    start, end, done = _pipelined(client, wire.head(wire.ECHO, 0, PAYLOAD), None, count)
    return done / (end - start)


def _work(count: int, address: str) -> Span:
    client = Client(address)
    x = np.ones(SIZES["4MB"], np.float32)
    return span(lambda: touch(client.exchange(x, True)), count)


def _play(count: int, address: str) -> Span:
    seen = observation(0).view(np.float32)
    return _pipelined(Client(address), wire.head(wire.PREDICT, 0), seen, count * IN_FLIGHT)
