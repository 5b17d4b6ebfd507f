"""Inflows hand on whole messages, however their bytes come."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import until
from tether.actors import inflow
from tether.actors.inflow import Inflow
from tether.actors.outflow import LENGTH


class Taken:
    """An inflow, and what it has handed on."""

    def __init__(self, room: int = 64) -> None:
        self.far, near = socket.socketpair()
        self.messages: list[bytes] = []
        self.refused: list[str] = []
        self.ended: list[Inflow] = []
        self.inflow = Inflow(near, self.take, self.refused.append, self.ended.append, room)

    def take(self, message: memoryview) -> None:
        self.messages.append(bytes(message))

    def send(self, *messages: bytes) -> None:
        for data in messages:
            self.far.sendall(LENGTH.pack(len(data)) + data)

    def close(self) -> None:
        self.inflow.close()
        self.far.close()


async def test_the_first_message_names_the_peer() -> None:
    taken = Taken()

    taken.send(b"left/1", b"a", b"", b"bc")
    await until(lambda: len(taken.messages) == 3)

    assert (taken.inflow.peer, taken.messages) == ("left/1", [b"a", b"", b"bc"])
    taken.close()


async def test_a_message_larger_than_the_room_comes_whole() -> None:
    taken = Taken(room=64)

    taken.send(b"left/1", b"x" * 5000, b"y" * 50, b"z" * 70)
    await until(lambda: len(taken.messages) == 3)

    assert taken.messages == [b"x" * 5000, b"y" * 50, b"z" * 70]
    taken.close()


async def test_one_that_is_too_long_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "MAX_MESSAGE", 100)
    taken = Taken()

    taken.send(b"left/1", b"x" * 100, b"y" * 101)
    await until(lambda: taken.ended)

    assert taken.messages == [b"x" * 100]
    assert taken.refused == ["a message of 101 bytes was announced, which is too long"]
    taken.far.close()


async def test_the_end_of_the_other_side_is_its_own() -> None:
    taken = Taken()

    taken.send(b"left/1", b"a")
    taken.far.sendall(b"\5\0\0\0amid")
    taken.far.close()
    await until(lambda: taken.ended)

    assert (taken.messages, taken.ended) == ([b"a"], [taken.inflow])
    taken.close()


async def test_it_may_be_closed_by_what_it_hands_on() -> None:
    taken = Taken()
    seen: list[Any] = []

    def take(message: memoryview) -> None:
        seen.append(bytes(message))
        taken.inflow.close()

    taken.inflow._take = take
    taken.send(b"left/1", b"a", b"b")
    await until(lambda: taken.ended)

    assert seen == [b"a"]
    taken.far.close()


@given(
    st.lists(st.binary(max_size=200), max_size=20),
    st.lists(st.integers(1, 150), min_size=1, max_size=10),
)
def test_messages_are_the_same_however_they_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    async def main() -> list[bytes]:
        taken = Taken()
        whole = b"".join(LENGTH.pack(len(data)) + data for data in (b"left/1", *sent))
        turn = 0
        while whole:
            size = cuts[turn % len(cuts)]
            taken.far.sendall(whole[:size])
            whole = whole[size:]
            turn += 1
            await asyncio.sleep(0)
        await until(lambda: len(taken.messages) == len(sent))
        taken.close()
        return taken.messages

    assert asyncio.run(main()) == sent
