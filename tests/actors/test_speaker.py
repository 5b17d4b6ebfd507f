"""What becomes of a connection: the first, the next ones, and one that ZeroMQ gives up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import zmq

from tests.actors.conftest import keyrings, until
from tether.actors.pump import Outlet
from tether.actors.refusals import FAILED_PROTOCOL
from tether.actors.speaker import Speaker


@pytest.fixture
async def context() -> AsyncIterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as made:
        yield made


def made_of(
    context: zmq.Context[zmq.Socket[bytes]], address: str
) -> tuple[Speaker, list[bool], list[tuple[int, int]]]:
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    made: list[bool] = []
    failed: list[tuple[int, int]] = []
    speaker = Speaker(
        Outlet(socket), address, made.append, lambda event, value: failed.append((event, value))
    )
    return speaker, made, failed


def router(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.bind(address)
    return socket


def bound(socket: zmq.Socket[bytes], address: str) -> bool:
    try:
        socket.bind(address)
    except zmq.ZMQError:
        return False
    return True


async def test_the_first_connection_is_told_from_the_next(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    listener = router(context, "tcp://127.0.0.1:*")
    address = listener.getsockopt_string(zmq.LAST_ENDPOINT)
    speaker, made, failed = made_of(context, address)
    speaker.connect()
    speaker.connect()
    await until(lambda: made)

    listener.close()
    again = context.socket(zmq.ROUTER)
    await until(lambda: bound(again, address))  # the port is free a moment later
    await until(lambda: len(made) == 2)

    assert (made, failed) == ([True, False], [])
    speaker.close(0)
    again.close()


async def test_one_whom_zeromq_would_never_call_again_is_called_again(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    guarded = context.socket(zmq.ROUTER)
    keyrings("b")["b"].serve(guarded)
    guarded.bind("tcp://127.0.0.1:*")
    speaker, made, failed = made_of(context, guarded.getsockopt_string(zmq.LAST_ENDPOINT))

    speaker.connect()
    await until(lambda: len(failed) >= 2)

    assert {event for event, _ in failed} == {FAILED_PROTOCOL}
    assert made == []
    speaker.close(0)
    guarded.close()
