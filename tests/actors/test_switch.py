"""Over a network that loses, doubles and reorders, actors see none of it; and nothing breaks in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.actors.conftest import (
    Air,
    Lossy,
    World,
    call,
    in_virtual_time,
    joined,
    lossy_world,
    until,
)
from tether.actors import Group, buffer, oneway, within
from tether.actors.buffers import lent
from tether.actors.directory import Directory, Place
from tether.actors.frames import Cancel, Frame, Origin, Pair, pack_frame
from tether.actors.memory import Pool
from tether.actors.message import Message
from tether.actors.packet import Ack, Packet, Window
from tether.actors.switch import FRAME_BYTES, Switch
from tether.actors.transport import Receiver


class Center:
    def __init__(self) -> None:
        self.got: list[Any] = []
        self.largest = 0

    async def add(self, x: torch.Tensor, one: int) -> torch.Tensor:
        answer = buffer(x.shape)
        torch.add(x, one, out=answer)
        return answer

    @oneway
    async def note(self, number: int, ballast: Any = None) -> None:
        await asyncio.sleep(0.001 * (number % 3))
        self.got.append(number)

    async def fail(self) -> None:
        raise ValueError("not finite")


def holds(world: World) -> None:
    """See that the books of every pair are closed."""
    for node in world.each:
        for books in node.accounts():
            assert books["in_flight"] == books["unknown"] == 0
            assert books["sent"] == books["handled"] + sum(books["dropped"].values())


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), loss=st.floats(0, 0.5), messages=st.integers(1, 8))
def test_nothing_is_lost_doubled_or_out_of_order(seed: int, loss: float, messages: int) -> None:
    async def main() -> None:
        world = await lossy_world(seed, Window(messages=messages), loss)
        centers = Group([world.spawn(f"center/{k}", Center) for k in range(2)])

        async def play() -> None:
            x = buffer(6000).zero_()
            for number in range(20):
                for center in centers:
                    await center.note(number, bytes(number * 40_000 if number % 7 == 0 else 5))
                if number % 5 == 0:
                    for one in await centers.map(Center.add, x, number):
                        assert (one == number).all()
                    assert not lent(x)
                    with pytest.raises(ValueError, match="not finite"):
                        await centers[0].fail()

        await world.act(play)
        await world.quiet()
        for k in range(2):
            assert world.actor(f"center/{k}").got == list(range(20))
        holds(world)
        await world.close()

    in_virtual_time(main())


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_large_tensors_survive_the_loss_of_their_chunks(seed: int) -> None:
    async def main() -> None:
        world = await lossy_world(seed, loss=0.3)
        center = world.spawn("center/0", Center)
        x = torch.arange(1_000_000, dtype=torch.float32)

        async def play() -> None:
            assert torch.equal(await center.add(x, 1), x + 1)

        await world.act(play)
        await world.quiet()
        holds(world)
        await world.close()

    in_virtual_time(main())


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_time_limits_and_cancels_leave_the_books_closed(seed: int) -> None:
    async def main() -> None:
        world = await lossy_world(seed, Window(messages=4))
        center = world.spawn("center/0", Center)

        async def play() -> None:
            x = buffer(6000).zero_()
            for number in range(15):
                try:
                    async with within(0.01 * (number % 5)):
                        await center.note(number)
                        await center.add(x, 1)
                except TimeoutError:
                    continue
            await until(lambda: not lent(x))

        await world.act(play)
        await world.quiet()
        got = world.actor("center/0").got
        assert got == sorted(set(got))
        holds(world)
        await world.close()

    in_virtual_time(main())


class Held(Lossy):
    """A network that holds chunks back until a test lets them go."""

    held: list[Callable[[], None]]

    def __init__(self, process: str, air: Air) -> None:
        super().__init__(process, air)
        self.resend_after = None
        self.held = []

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        copy = bytes(data)
        receiver = self.air.receivers[process]
        self.held.append(lambda: receiver.chunk(header, memoryview(copy)))


async def held_world(window: Window | None = None) -> tuple[World, Held]:
    air = Air(0, loss=0, double=0)
    left, right = Held("left", air), Held("right", air)
    return await joined({"left": left, "right": right}, window), left


def test_a_call_cancelled_while_its_tensor_is_on_its_way_is_not_handled() -> None:
    async def main() -> dict[str, Any]:
        world, left = await held_world()
        center = world.spawn("center/0", Center)

        async def play() -> None:
            x = buffer(100_000)
            ask = asyncio.ensure_future(center.note(7, 0))
            await ask
            large = asyncio.ensure_future(center.add(x, 1))
            await until(lambda: left.held)
            await asyncio.sleep(1)
            large.cancel()
            await asyncio.sleep(1)
            assert lent(x)
            for bring in left.held:
                bring()
            await until(lambda: not lent(x))

        await world.act(play)
        await world.quiet()
        books = world.books("script/0", "center/0")
        await world.close()
        return books

    books = in_virtual_time(main())

    assert (books["handled"], books["dropped"]) == (1, {"expired": 1})


def test_another_senders_message_passes_a_tensor_that_is_on_its_way() -> None:
    async def main() -> list[str]:
        world, left = await held_world()
        center = world.spawn("center/0", Center)
        order = []

        async def large() -> None:
            await center.add(torch.zeros(100_000), 1)
            order.append("large")

        async def small() -> None:
            await center.add(torch.zeros(1), 1)
            order.append("small")
            left.held.pop()()

        world.start(large, "large/0")
        await until(lambda: left.held)
        world.start(small, "small/0")
        await world.end("small/0")
        right = world.nodes["right"].transport
        assert isinstance(right, Held)
        await until(lambda: right.held)
        right.held.pop()()
        await world.end("large/0")
        await world.close()
        return order

    assert in_virtual_time(main()) == ["small", "large"]


class Inbox:
    """Takes what a switch delivers."""

    def __init__(self) -> None:
        self.came: list[Message] = []
        self.withdrawn: list[int] = []

    def deliver(self, source: str, target: str, message: Message) -> None:
        self.came.append(message)

    def withdraw(self, source: str, target: str, number: int) -> None:
        self.withdrawn.append(number)


class Wire:
    """A transport that keeps what it is given."""

    resend_after: float | None = None

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    async def start(self, receiver: Receiver) -> None: ...
    async def close(self, linger: float) -> None: ...

    def send(self, process: str, frame: bytes) -> None:
        self.frames.append(frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None: ...


HERE, THERE = "center/0", "worker/0"


def switch(inbox: Inbox, wire: Wire | None = None) -> Switch:
    places = {
        HERE: Place("home", Center), "center/1": Place("home", Center),
        THERE: Place("far", Center), "worker/1": Place("far", Center, incarnation=3),
    }  # fmt: skip
    return Switch(Origin("run", "home", 1), Directory(places), inbox, Pool(), wire or Wire())


def frame(*packets: tuple[Pair, Packet], run: str = "run", cancels: tuple[int, ...] = ()) -> bytes:
    words = [Cancel(THERE, HERE, number) for number in cancels]
    return pack_frame(Frame(Origin(run, "far", 1), list(packets), words), 0.0)


def packet(
    source: str = THERE, target: str = HERE, source_is: int = 1, target_is: int = 1, number: int = 1
) -> tuple[Pair, Packet]:
    return Pair(source, target, source_is, target_is), Packet(1, (call(number),), Ack())


@pytest.mark.parametrize(
    ("data", "what", "text"),
    [
        (frame(packet(), run="old"), "frame", "a frame of run old came, which is not this one"),
        (b"\xc1", "frame", "a frame of 1 bytes is malformed"),
        (
            frame(packet("worker/1")),
            "packet",
            "worker/1 is spoken of in incarnation 1, but it is 3",
        ),
        (frame(packet(target_is=2)), "packet", "center/0 is spoken of in incarnation 2, but it is"),
        (frame(packet("nobody/0")), "packet", "there is no actor nobody/0 in this run"),
        (frame(packet(target=THERE)), "packet", "a frame for worker/0 came, which does not live"),
        (
            frame((Pair(THERE, HERE, 1, 1), Packet(1, (), Ack(received=5)))),
            "packet",
            "messages up to 5 and 0 calls are acknowledged",
        ),
    ],
)
async def test_what_is_not_for_this_process_and_run_is_counted_and_logged(
    data: bytes, what: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    taker = switch(inbox)

    taker.frame(data)

    assert inbox.came == []
    assert taker.refused == {what: 1}
    assert f"home: a {what} was refused: " in caplog.text
    assert text in caplog.text


async def test_a_refused_packet_costs_its_neighbours_nothing() -> None:
    inbox = Inbox()
    taker = switch(inbox)

    taker.frame(frame(packet("worker/1", number=8), packet(number=9), cancels=(4,)))

    assert [message.number for message in inbox.came] == [9]
    assert inbox.withdrawn == [4]
    assert taker.refused == {"packet": 1}
    taker.close()


def chunk(*changes: tuple[int, Any]) -> bytes:
    head = [1, "run", THERE, HERE, 1, 1, 1, 0, 0, 100]
    for at, value in changes:
        head[at] = value
    data: bytes = msgpack.packb(head)
    return data


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (chunk((1, "old")), "a chunk of run old came, which is not this one"),
        (chunk((4, 2)), "worker/0 is spoken of in incarnation 2, but it is 1"),
        (chunk((2, "nobody/0")), "there is no actor nobody/0"),
        (chunk((8, 99)), "a chunk of bytes 99 to 109 of 100 came"),
        (chunk((9, 2**62)), "a chunk was refused"),
        (b"", "a chunk was refused"),
    ],
)
async def test_a_chunk_that_fits_nowhere_is_counted_and_logged(
    header: bytes, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    taker = switch(Inbox())

    taker.chunk(header, memoryview(bytes(10)))

    assert taker.refused == {"chunk": 1}
    assert text in caplog.text


@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)))),
        min_size=1,
        max_size=8,
    )
)
def test_mutated_frames_and_chunks_never_raise(mutations: list[tuple[bool, Any]]) -> None:
    async def main() -> None:
        taker = switch(Inbox())
        for is_frame, flips in mutations:
            data = bytearray(frame(packet(), cancels=(1,)) if is_frame else chunk())
            for at, byte in flips:
                data[at % len(data)] = byte
            if is_frame:
                taker.frame(bytes(data))
            else:
                taker.chunk(bytes(data), memoryview(bytes(10)))
        taker.close()

    logging.disable()
    try:
        in_virtual_time(main())
    finally:
        logging.disable(logging.NOTSET)


async def test_what_is_queued_in_one_turn_leaves_in_one_frame() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    for number in range(5):
        giver.send(HERE, THERE, call(number))
        giver.send("center/1", THERE, call(number))

    await asyncio.sleep(0)

    assert len(wire.frames) == 1
    giver.close()


async def test_frames_are_bounded_however_much_there_is_to_say() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    for number in range(60):
        giver.send(HERE, THERE, call(number, size=900_000))
    await asyncio.sleep(0)
    first = len(wire.frames)

    giver.connected("far")
    await asyncio.sleep(0)

    assert len(wire.frames) == 2 * first > 2
    assert all(len(data) < 8 << 20 for data in wire.frames)
    assert FRAME_BYTES < 8 << 20
    giver.close()


async def test_a_renewed_connection_concerns_only_its_process() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    giver.send(HERE, THERE, call(1))
    await asyncio.sleep(0)

    giver.connected("elsewhere")
    await asyncio.sleep(0)

    assert len(wire.frames) == 1
    giver.close()


async def test_what_a_closing_switch_has_to_acknowledge_is_said_at_once() -> None:
    wire, inbox = Wire(), Inbox()
    taker = switch(inbox, wire)
    taker.frame(frame(packet()))
    taker.settle(HERE, THERE, inbox.came[0], None)

    taker.close()

    assert len(wire.frames) == 1
