"""A connection tells what comes, when there is room again, and that it has ended; a message goes
in as many pieces as the kernel takes it in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import until
from tether.actors.connection import ENDED, Bytes, Connection, take_away


class Ends:
    """A connection, its other end, and what the loop has told of it."""

    def __init__(self) -> None:
        self.far, near = socket.socketpair()
        self.told: list[str] = []
        self.near = Connection(near, self.readable, self.writable)

    def readable(self) -> None:
        self.told.append("readable")

    def writable(self) -> None:
        self.told.append("writable")
        self.near.wait_for_room(False)

    def receive(self, size: int) -> Any:
        """Return the bytes that have come, or what is told in their stead."""
        room = memoryview(bytearray(size))
        received = self.near.receive([room])
        return bytes(room[: received[0]]) if received and received[0] else received


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    made = Ends()
    yield made
    made.near.close()
    made.far.close()


async def test_what_has_come_is_told_and_received(ends: Ends) -> None:
    before = ends.receive(9)

    ends.far.sendall(b"hello")
    await until(lambda: ends.told)

    assert before is None
    assert (ends.receive(3), ends.receive(9), ends.receive(9)) == (b"hel", b"lo", None)


async def test_an_end_is_told_and_brings_no_bytes(ends: Ends) -> None:
    ends.far.sendall(b"bye")
    ends.far.close()
    await until(lambda: ends.told)

    assert (ends.receive(9), ends.receive(9)[0]) == (b"bye", 0)


async def test_a_broken_connection_is_as_one_that_has_ended(ends: Ends) -> None:
    ends.near.socket.send(b"nobody reads this")
    ends.far.close()  # what is broken is said by an error, not by an end
    await until(lambda: ends.told)

    assert ends.receive(9) == ENDED


async def test_room_is_told_once_it_is_there_and_only_when_it_is_waited_for(ends: Ends) -> None:
    with suppress(BlockingIOError):
        while True:
            ends.near.socket.send(bytes(100_000))
    ends.near.wait_for_room(True)
    ends.near.wait_for_room(True)
    blocked = ends.near.blocked

    while not ends.told:
        ends.far.recv(100_000)
        await asyncio.sleep(0)

    assert blocked
    assert not ends.near.blocked
    assert ends.told == ["writable"]


async def test_one_that_is_closed_is_let_go_of_once_and_for_all(ends: Ends) -> None:
    ends.near.wait_for_room(True)

    ends.near.close()
    ends.near.close()

    assert ends.near.closed
    assert not ends.near.blocked
    assert ends.near.socket.fileno() == -1
    assert ends.far.recv(9) == b""


@given(st.lists(st.binary(max_size=9)), st.data())
def test_however_much_goes_at_a_time_all_goes_in_order(sent: list[bytes], data: Any) -> None:
    parts: list[Bytes] = list(sent)
    gone = b""

    while left := sum(map(len, parts)):
        count = data.draw(st.integers(1, left))
        gone += b"".join(parts)[:count]
        take_away(parts, count)

    take_away(parts, 0)
    assert gone == b"".join(sent)
    assert parts == []
