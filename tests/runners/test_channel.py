"""The line between an agent and its processes: whole messages, and an end that is seen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.channel import Channel

Pair = tuple[Channel, Channel]
plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
    max_leaves=8,
)


async def opened() -> Pair:
    ours, theirs = socket.socketpair()
    return await Channel.open(ours), await Channel.open(theirs)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    ends = await opened()
    yield ends
    for end in ends:
        end.close()


@given(st.lists(st.lists(plain, max_size=3), max_size=5))
def test_messages_arrive_whole_and_in_order(messages: list[list[Any]]) -> None:
    async def exchanged() -> list[Any]:
        ours, theirs = await opened()
        for message in messages:
            ours.send(*message)
        came = [await theirs.receive() for _ in messages]
        ours.close()
        theirs.close()
        return came

    came = asyncio.run(exchanged())

    assert came == messages


async def test_a_message_larger_than_any_buffer_arrives(pair: Pair) -> None:
    ours, theirs = pair
    large = b"x" * (8 << 20)

    ours.send("plan", large)
    _, came = await asyncio.gather(ours.flush(), theirs.receive())

    assert came == ["plan", large]


async def test_the_end_of_one_side_is_seen_by_the_other(pair: Pair) -> None:
    ours, theirs = pair
    ours.send("last")

    ours.close()

    assert [await theirs.receive(), await theirs.receive()] == [["last"], None]


async def test_half_a_message_is_no_message() -> None:
    raw, end = socket.socketpair()
    channel = await Channel.open(end)

    raw.sendall(b"\x10\x00\x00\x00half")
    raw.close()

    assert await channel.receive() is None
    channel.close()


async def test_what_is_sent_into_a_dead_end_goes_nowhere(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()

    for _ in range(3):
        ours.send("x" * 100_000)
        await ours.flush()

    assert await ours.receive() is None
