"""What both plain ZeroMQ peers share: a DEALER each, one ROUTER, a vector as one frame of its own.

A message is a head (what is wanted, a number, a small body) and perhaps a vector; an answer bears
the same first five bytes.
"""

from __future__ import annotations

import socket
import struct
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zmq

from benchmarks.forks import Fork
from benchmarks.measure import Memory, Span, together
from benchmarks.workloads import BATCH, OBSERVATION, Floats, predictions, touch

HEAD = 5
ECHO, TICK, TICKS, UNTOUCHED, TOUCHED, PREDICT, LEVEL, RISEN = (bytes([k]) for k in range(8))
DRAIN = 200
"""Messages taken before the loop gets its turn."""
Call = tuple[bytes, bytes, Any]


def head(want: bytes, number: int, body: bytes = b"") -> bytes:
    """Return the first frame of a message."""
    return want + struct.pack("<I", number) + body


class Keys(NamedTuple):
    """The CURVE keys of a center and of its client, each public and secret."""

    center: tuple[bytes, bytes]
    client: tuple[bytes, bytes]

    @classmethod
    def drawn(cls) -> Keys:
        """Return new ones."""
        return cls(zmq.curve_keypair(), zmq.curve_keypair())

    def guard(self, end: zmq.Socket[bytes], *, center: bool) -> None:
        """Have a socket encrypt all that goes through it."""
        end.curve_publickey, end.curve_secretkey = self.center if center else self.client
        if center:
            end.curve_server = True
        else:
            end.curve_serverkey = self.center[0]


def free_port() -> str:
    """Return a TCP endpoint of this machine that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return f"tcp://127.0.0.1:{held.getsockname()[1]}"


def open_socket(
    kind: int, address: str, *, bind: bool = False, keys: Keys | None = None
) -> zmq.Socket[bytes]:
    """Return a socket without a high-water mark, so that nothing is dropped."""
    end: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    end.linger = 0
    end.set_hwm(0)
    if keys is not None:
        keys.guard(end, center=bind)
    (end.bind if bind else end.connect)(address)
    return end


def send(end: zmq.Socket[bytes], first: bytes, vector: Any = None) -> None:
    """Send a head and perhaps a vector, which is not copied."""
    if vector is None:
        end.send(first)
    else:
        end.send(first, zmq.SNDMORE)
        end.send(vector, copy=False)


def received(end: zmq.Socket[bytes]) -> tuple[bytes, Any]:
    """Return a head, and the vector's memory if there is one; zmq.Again when nothing is there."""
    first = end.recv(zmq.NOBLOCK)
    more = end.getsockopt(zmq.RCVMORE)
    return first, end.recv(copy=False).buffer if more else None


class Service:
    """The center: it answers one message after the other, and predictions in batches."""

    def __init__(self, end: zmq.Socket[bytes]) -> None:
        self._end = end
        self._ticks = 0
        self._answers: dict[int, Floats] = {}
        self._memory: Memory | None = None
        self._calls: list[Call] = []
        self._stack = np.empty((BATCH, OBSERVATION), np.uint8)

    def drain(self) -> bool:
        """Handle what is there; tell whether there may be more."""
        for _ in range(DRAIN):
            try:
                sender = self._end.recv(zmq.NOBLOCK)
                first, body = received(self._end)
            except zmq.Again:
                self._predict()
                return False
            self._handle(sender, first, body)
        self._predict()
        return True

    def _handle(self, sender: bytes, first: bytes, body: Any) -> None:
        want = first[:1]
        if want == TICK:
            self._ticks += 1
        elif want == PREDICT:
            self._calls.append((sender, first[:HEAD], body))
        elif want == ECHO:
            self._reply(sender, first)
        elif want in (UNTOUCHED, TOUCHED):
            self._reply(sender, first, self._exchanged(np.frombuffer(body, np.float32), want))
        else:
            self._reply(sender, first[:HEAD] + struct.pack("<d", self._number(want)))

    def _reply(self, sender: bytes, first: bytes, vector: Floats | None = None) -> None:
        self._end.send(sender, zmq.SNDMORE)
        send(self._end, first, vector)

    def _exchanged(self, x: Floats, want: bytes) -> Floats:
        if want == TOUCHED:
            touch(x)
        if len(x) not in self._answers:
            self._answers[len(x)] = np.ones(len(x), np.float32)
        return self._answers[len(x)]

    def _number(self, want: bytes) -> float:
        if want == TICKS:
            count, self._ticks = self._ticks, 0
            return count
        if want == LEVEL or self._memory is None:
            self._memory = Memory()
        return self._memory.risen()

    def _predict(self) -> None:
        for begin in range(0, len(self._calls), BATCH):
            calls = self._calls[begin : begin + BATCH]
            for row, (_, _, body) in enumerate(calls):
                self._stack[row] = np.frombuffer(body, np.uint8)
            answers = predictions(self._stack[: len(calls)])
            for (sender, first, _), answer in zip(calls, answers, strict=True):
                self._reply(sender, first + answer.tobytes())
        self._calls.clear()


def with_center(
    serve: Callable[[str], None], works: list[Callable[[str], Any]], address: str = ""
) -> list[Any]:
    """Run a center and so many clients, each in a process of its own; return what they found."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, ExitStack() as stack:
        address = address or f"ipc://{Path(folder) / 'center'}"
        stack.enter_context(Fork(lambda: serve(address)))
        clients = [stack.enter_context(Fork(lambda work=work: work(address))) for work in works]  # type: ignore[misc]
        return [client.result() for client in clients]


def rate_of(serve: Callable[[str], None], work: Callable[[str], Span], workers: int) -> float:
    """Return what so many workers do in a second together."""
    return together(with_center(serve, [work] * workers))
