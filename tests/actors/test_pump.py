"""A pump moves what there is, hangs on nothing, and leaves the loop its turns."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zmq

from tests.actors.conftest import until
from tether.actors.pump import TURN_MESSAGES, Intake, Outlet

Pair = tuple[zmq.Socket[bytes], zmq.Socket[bytes]]


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def sockets(context: zmq.Context[Any], hwm: int = 1000) -> Pair:
    """Return two connected sockets."""
    pair = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    for socket in pair:
        socket.setsockopt(zmq.SNDHWM, hwm)
        socket.setsockopt(zmq.RCVHWM, hwm)
    pair[0].bind("inproc://pump")
    pair[1].connect("inproc://pump")
    return pair


async def test_messages_come_whole_and_in_order(context: zmq.Context[Any]) -> None:
    near, far = sockets(context)
    came: list[list[bytes]] = []
    outlet, intake = Outlet(near), Intake(far, came.append)

    for number in range(500):
        outlet.send(b"head", str(number).encode())
    await until(lambda: len(came) == 500)

    assert came == [[b"head", str(number).encode()] for number in range(500)]
    outlet.close(0)
    intake.close(0)


async def test_what_came_before_the_pump_is_taken_too(context: zmq.Context[Any]) -> None:
    near, far = sockets(context)
    near.send(b"early")
    came: list[list[bytes]] = []

    intake = Intake(far, came.append)
    await until(lambda: came)

    assert came == [[b"early"]]
    intake.close(0)
    near.close()


async def test_what_the_socket_does_not_take_waits_in_order(context: zmq.Context[Any]) -> None:
    near, far = sockets(context, hwm=2)
    outlet = Outlet(near)
    for number in range(50):
        outlet.send(str(number).encode())
    waiting = len(outlet)
    came: list[list[bytes]] = []

    intake = Intake(far, came.append)
    await until(lambda: len(came) == 50)

    assert waiting > 0
    assert len(outlet) == 0
    assert [int(parts[0]) for parts in came] == list(range(50))
    outlet.close(0)
    intake.close(0)


async def test_large_frames_are_views_of_zeromqs_memory(context: zmq.Context[Any]) -> None:
    near, far = sockets(context)
    came: list[list[Any]] = []
    intake = Intake(far, came.append, copy=False)

    near.send_multipart([b"head", bytes(100_000)])
    await until(lambda: came)

    assert came[0][0] == b"head"
    assert isinstance(came[0][1], memoryview)
    assert came[0][1].nbytes == 100_000
    intake.close(0)
    near.close()


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_hangs_over_random_interleavings_of_small_and_large(
    context: zmq.Context[Any], seed: int
) -> None:
    random = Random(seed)
    near, far = sockets(context, hwm=random.choice((1, 3, 100)))
    sizes = [random.choice((0, 10, 1000, 300_000)) for _ in range(400)]
    came: list[int] = []
    outlet, intake = Outlet(near), Intake(far, lambda parts: came.append(len(parts[0])))

    for size in sizes:
        outlet.send(bytes(size))
        for _ in range(random.choice((0, 0, 0, 1, 3))):
            await asyncio.sleep(0)
    await until(lambda: len(came) == len(sizes))

    assert came == sizes
    outlet.close(0)
    intake.close(0)


async def test_a_flood_leaves_the_loop_its_turns(context: zmq.Context[Any]) -> None:
    near, far = sockets(context, hwm=0)
    came = 0
    seen: list[int] = []
    loop = asyncio.get_running_loop()
    for _ in range(5000):
        near.send(b"x")

    def take(_parts: list[bytes]) -> None:
        nonlocal came
        came += 1

    def look() -> None:
        seen.append(came)
        if came < 5000:
            loop.call_soon(look)

    intake = Intake(far, take)
    loop.call_soon(look)
    await until(lambda: came == 5000)

    # The reader and the pump's own call may both get a turn in one round of the loop.
    steps = [b - a for a, b in itertools.pairwise(seen)]
    assert max(steps) <= 2 * TURN_MESSAGES
    intake.close(0)
    near.close()


async def test_a_pump_may_be_closed_by_what_it_hands_on(context: zmq.Context[Any]) -> None:
    near, far = sockets(context)
    came: list[list[bytes]] = []

    def take(parts: list[bytes]) -> None:
        came.append(parts)
        intake.close(0)

    intake = Intake(far, take)
    near.send(b"1")
    near.send(b"2")
    await until(lambda: far.closed)

    assert came == [[b"1"]]
    intake.close(0)
    near.close()


async def test_an_outlet_that_has_nothing_to_do_takes_no_turns(
    context: zmq.Context[Any], tmp_path: Path
) -> None:
    class Counting(Outlet):
        turns = 0

        def _move(self) -> bool:
            self.turns += 1
            return super()._move()

    far, near = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    near.setsockopt(zmq.SNDHWM, 4)  # so that the socket is signalled that there is room again
    far.bind("ipc://" + str(tmp_path / "far"))
    near.connect("ipc://" + str(tmp_path / "far"))
    came: list[list[bytes]] = []
    outlet, intake = Counting(near), Intake(far, came.append)
    for number in range(100):
        outlet.send(str(number).encode())
    await until(lambda: len(came) == 100)

    for _ in range(1000):
        await asyncio.sleep(0)

    assert outlet.turns < 500
    outlet.close(0)
    intake.close(0)
