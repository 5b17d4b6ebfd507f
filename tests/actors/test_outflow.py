"""Outflows send in order, whole or not at all, and dial again when a connection breaks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.conftest import until
from tether.actors import outflow
from tether.actors.connection import FIRST_PAUSE
from tether.actors.outflow import LENGTH, Outflow

HELLO = b"left/1"


class Far:
    """The other end of an outflow's path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener: socket.socket | None = None
        self.connection: socket.socket | None = None

    async def accept(self) -> None:
        """Begin to listen if that is not done yet, and take the next connection."""
        if self._listener is None:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(self.path))
            self._listener.listen()
            self._listener.setblocking(False)
        loop = asyncio.get_running_loop()
        self.connection, _ = await loop.sock_accept(self._listener)
        self.connection.setblocking(False)
        assert await self.next() == HELLO

    async def next(self) -> bytes:
        """Return the next message."""
        (size,) = LENGTH.unpack(await self._bytes(LENGTH.size))
        return await self._bytes(size)

    async def _bytes(self, size: int) -> bytes:
        assert self.connection is not None
        data, loop = b"", asyncio.get_running_loop()
        while len(data) < size:
            came = await loop.sock_recv(self.connection, size - len(data))
            assert came
            data += came
        return data

    def hang_up(self) -> None:
        assert self.connection is not None
        self.connection.close()

    def close(self) -> None:
        for end in (self.connection, self._listener):
            if end is not None:
                end.close()


@pytest.fixture
def far(folder: Path) -> Iterator[Far]:
    far = Far(folder / "far")
    yield far
    far.close()


def dialling(far: Far, renewed: list[int] | None = None, buffered: int | None = None) -> Outflow:
    seen = [] if renewed is None else renewed
    return Outflow(str(far.path), HELLO, lambda: seen.append(1), buffered)


async def test_messages_come_whole_and_in_order(far: Far) -> None:
    out = dialling(far)
    out.send(b"before ", b"anybody listens")

    await far.accept()
    out.send(b"parts", memoryview(b" of "), b"one")
    out.send(b"")

    assert [await far.next() for _ in range(3)] == [b"before anybody listens", b"parts of one", b""]
    assert len(out) == 0
    out.close()


async def test_what_the_kernel_does_not_take_waits_in_order(far: Far) -> None:
    out = dialling(far, buffered=4096)
    task = asyncio.ensure_future(far.accept())
    await until(task.done)
    sent = [bytes([n]) * size for n, size in enumerate((1, 300_000, 5, 100_000, 3, 0, 77_777))]
    for data in sent:
        out.send(data[:7], memoryview(data)[7:])
    waits = len(out)

    came = [await far.next() for _ in sent]

    assert waits > 1
    assert came == sent
    await until(lambda: not len(out))
    out.close()


async def test_of_a_broken_message_nothing_more_is_sent_and_what_waits_is(far: Far) -> None:
    renewed: list[int] = []
    out = dialling(far, renewed, buffered=4096)
    task = asyncio.ensure_future(far.accept())
    await until(task.done)
    for data in (b"a" * 1_000_000, b"b", b"c"):
        out.send(data)

    far.hang_up()
    await far.accept()

    assert [await far.next() for _ in range(2)] == [b"b", b"c"]
    assert renewed == [1]
    out.close()


async def test_an_end_is_noticed_though_nothing_is_sent(far: Far) -> None:
    renewed: list[int] = []
    out = dialling(far, renewed)
    await far.accept()

    far.hang_up()
    await far.accept()

    assert renewed == [1]
    out.close()


async def test_a_flood_leaves_the_loop_its_turns(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outflow, "TURN_BYTES", 1000)
    out = dialling(far)
    turns: list[int] = []
    task = asyncio.ensure_future(far.accept())
    await until(task.done)
    assert out._connection is not None
    out._connection.wait_for_room(True)
    for _ in range(20):
        out._queue.append(outflow.Letter([LENGTH.pack(500), bytes(500)]))

    while len(out) and len(turns) < 1000:
        turns.append(len(out))
        await asyncio.sleep(0)

    assert sorted(set(turns), reverse=True) == list(range(20, 0, -2))
    out.close()


async def test_nobody_is_dialled_any_more_once_it_is_closed(far: Far) -> None:
    out = dialling(far)
    out.send(b"for nobody")
    out.close()
    out.close()

    assert len(out) == 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5 * FIRST_PAUSE):
            await far.accept()
