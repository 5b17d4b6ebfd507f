"""Blocking sockets with no framing at all: unix and TCP over loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import numpy as np

from benchmarks.forks import Fork
from benchmarks.measure import exchange_rates, microseconds, timed
from benchmarks.workloads import IN_FLIGHT, PAYLOAD, Floats, amount, numbers, touch

JOBS = ("W1", "W1-pinned", "W2", "W3-4MB", "W3-40MB", "W3-400MB")
READ = 1 << 16


def run_unix(job: str, scale: float) -> dict[str, float]:
    """Measure one job over a pair of unix stream sockets."""
    return _run(job, scale, socket.socketpair)


def run_tcp(job: str, scale: float) -> dict[str, float]:
    """Measure one job over TCP on the loopback device."""
    return _run(job, scale, tcp_pair)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of one TCP connection that sends at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ends = socket.create_connection(listener.getsockname()), listener.accept()[0]
    for end in ends:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ends


def _run(
    job: str, scale: float, pair: Callable[[], tuple[socket.socket, socket.socket]]
) -> dict[str, float]:
    near, far = pair()
    with near, far:
        if job.startswith("W1"):
            return {job: _latency(near, far, amount(job, scale))}
        if job.startswith("W3"):
            return _exchanges(near, far, job, amount(job, scale))
        with Fork(lambda: _echo(far)):
            asks = _ask_rate(near, amount("W2-ask16", scale))
        return {"W2": _tick_rate(near, far, amount("W2", scale)), "W2-ask16": asks}


def _echo(end: socket.socket) -> None:
    while data := end.recv(READ):
        for _ in range(len(data) // len(PAYLOAD)):
            end.sendall(PAYLOAD)


def _latency(near: socket.socket, far: socket.socket, count: int) -> float:
    def ask() -> None:
        near.sendall(PAYLOAD)
        near.recv(len(PAYLOAD))

    with Fork(lambda: _echo(far)):
        return microseconds(timed(ask, count))


def _ask_rate(near: socket.socket, count: int) -> float:
    start = time.monotonic()
    for _ in range(IN_FLIGHT):
        near.sendall(PAYLOAD)
    sent, missing = IN_FLIGHT, count * len(PAYLOAD)
    while missing > 0:
        missing -= len(near.recv(READ))
        answered = count - missing // len(PAYLOAD)
        while sent < min(count, answered + IN_FLIGHT):
            near.sendall(PAYLOAD)
            sent += 1
    return count / (time.monotonic() - start)


def _tick_rate(near: socket.socket, far: socket.socket, count: int) -> float:
    def receive() -> None:
        missing = count * len(PAYLOAD)
        while missing > 0:
            missing -= len(far.recv(READ))
        far.sendall(b"!")

    with Fork(receive):
        start = time.monotonic()
        for _ in range(count):
            near.sendall(PAYLOAD)
        near.recv(1)
        return count / (time.monotonic() - start)


def _exchanges(near: socket.socket, far: socket.socket, job: str, count: int) -> dict[str, float]:
    mine, answer = (np.ones(numbers(job), np.float32) for _ in range(2))

    def exchange(touched: bool) -> Floats:
        near.sendall(b"\1" if touched else b"\0")
        near.sendall(mine.data)
        _fill(near, answer)
        return answer

    with Fork(lambda: _serve(far, numbers(job))):
        return exchange_rates(job, count, exchange)


def _serve(end: socket.socket, count: int) -> None:
    theirs, x = (np.ones(count, np.float32) for _ in range(2))
    while word := end.recv(1):
        _fill(end, x)
        if word == b"\1":
            touch(x)
        end.sendall(theirs.data)


def _fill(end: socket.socket, values: Floats) -> None:
    room = values.data.cast("B")
    while room:
        room = room[end.recv_into(room) :]
