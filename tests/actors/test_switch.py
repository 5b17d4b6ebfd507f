"""Over a network that loses, doubles and reorders, actors see none of it; and nothing breaks in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
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
from tether.actors.frames import FRAME_BYTES, VERSION, Frame, Origin, pack_frame, unpack_frame
from tether.actors.journal import Key
from tether.actors.link import Link
from tether.actors.memory import Pool
from tether.actors.message import Body, Kind, Message, Part
from tether.actors.outbound import BATCH
from tether.actors.packet import Ack, Packet, Pair, Window
from tether.actors.switch import Switch
from tether.actors.transport import Receiver
from tether.actors.words import Cancel, Word


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
        self.orphans: list[tuple[Pair, int]] = []
        self.words: list[Word] = []
        self.silent: list[Link] = []

    def deliver(self, link: Link, due: Iterable[Message]) -> None:
        self.came += due

    def orphaned(self, pair: Pair, message: Message) -> None:
        self.orphans.append((pair, message.number))

    def lost(self, link: Link) -> None:
        self.silent.append(link)

    def word(self, word: Word) -> None:
        self.words.append(word)

    @property
    def numbers(self) -> list[int]:
        return [message.number for message in self.came]


class Wire:
    """A transport that keeps what it is given."""

    resend_after: float | None = None
    shares = False

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    async def start(self, receiver: Receiver) -> None: ...
    async def close(self, linger: float) -> None: ...
    def loans(self, process: str) -> None: ...
    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None: ...

    def send(self, process: str, frame: bytes) -> None:
        self.frames.append(frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None: ...


HERE, THERE = "center/0", "worker/0"


def switch(inbox: Inbox, wire: Wire | None = None, window: Window | None = None) -> Switch:
    places = {
        HERE: Place("home", Center), "center/1": Place("home", Center),
        THERE: Place("far", Center), "worker/1": Place("far", Center, incarnation=3),
    }  # fmt: skip
    origin = Origin("run", "home", 1)
    return Switch(origin, Directory(places), inbox, Pool(), wire or Wire(), window)


def frame(*packets: tuple[Pair, Packet], run: str = "run", cancels: tuple[int, ...] = ()) -> bytes:
    words: list[Word] = [Cancel(THERE, HERE, 1, 1, number) for number in cancels]
    return pack_frame(Frame(Origin(run, "far", 1), list(packets), words), 0.0)


def packet(
    source: str = THERE,
    target: str = HERE,
    source_is: int = 1,
    target_is: int = 1,
    number: int = 1,
    kind: Kind = Kind.TELL,
    first: int = 1,
) -> tuple[Pair, Packet]:
    message = call(number, kind=kind)
    return Pair(source, target, source_is, target_is), Packet(first, (message,), Ack())


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
        (frame(packet(target="nobody/0", source_is=2)), "packet", "there is no actor nobody/0"),
        (
            frame(packet(target=THERE, source_is=2)),
            "packet",
            "a frame for worker/0 came, which does not live",
        ),
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
    arguments = [argument for record in caplog.records for argument in record.args or ()]
    assert not any(isinstance(argument, Exception) for argument in arguments), "it keeps frames"


async def test_a_refused_packet_costs_its_neighbours_nothing() -> None:
    inbox = Inbox()
    taker = switch(inbox)

    taker.frame(frame(packet("worker/1", number=8), packet(number=9), cancels=(4,)))

    assert inbox.numbers == [9]
    assert inbox.words == [Cancel(THERE, HERE, 1, 1, 4)]
    assert taker.refused == {"packet": 1}
    taker.close()


def chunk(*changes: tuple[int, Any]) -> bytes:
    head = [VERSION, "run", THERE, HERE, 1, 1, 1, 0, 0, 100]
    for at, value in changes:
        head[at] = value
    data: bytes = msgpack.packb(head)
    return data


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (chunk((1, "old")), "a chunk of run old came, which is not this one"),
        (chunk((5, 2)), "center/0 is spoken of in incarnation 2, but it is 1"),
        (chunk((2, "worker/1")), "worker/1 is spoken of in incarnation 1, but it is 3"),
        (chunk((3, THERE)), "a frame for worker/0 came, which does not live here"),
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
        giver.send(giver.link(HERE, THERE), call(number))
        giver.send(giver.link("center/1", THERE), call(number))

    await asyncio.sleep(0)

    assert len(wire.frames) == 1
    giver.close()


def numbers(data: bytes) -> list[int]:
    """Return the numbers of the messages in a frame."""
    packets = unpack_frame(data, 0.0).packets
    return [message.number for _, packet in packets for message in packet.messages]


async def test_a_batch_of_small_calls_leaves_while_the_next_one_is_made() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    link = giver.link(HERE, THERE)
    for number in range(BATCH + 1):
        giver.send(link, call(number))
    made = [*map(numbers, wire.frames)]

    await asyncio.sleep(0)

    assert made == [[*range(BATCH)]]
    assert [*map(numbers, wire.frames)] == [[*range(BATCH)], [BATCH]]
    giver.close()


async def test_after_a_batch_that_was_all_nothing_is_said_at_the_end_of_the_turn() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    for number in range(BATCH):
        giver.send(giver.link(HERE, THERE), call(number))
    giver.frame(frame(packet(number=7)))  # and an acknowledgement may wait for company

    await asyncio.sleep(0)

    assert len(wire.frames) == 1
    giver.close()


@pytest.mark.parametrize(("to", "size"), [(THERE, 4000), ("center/1", 10)])
async def test_large_calls_and_those_within_the_process_wait_for_the_end_of_the_turn(
    to: str, size: int
) -> None:
    wire, inbox = Wire(), Inbox()
    giver = switch(inbox, wire)
    for number in range(BATCH):
        giver.send(giver.link(HERE, to), call(number, size=size))
    before = len(wire.frames) + len(inbox.came)

    await asyncio.sleep(0)

    assert before == 0
    assert sum(map(len, map(numbers, wire.frames))) + len(inbox.came) == BATCH
    giver.close()


class Letters(Wire):
    """A transport that keeps to whom it was to carry what."""

    def __init__(self) -> None:
        super().__init__()
        self.to: list[str] = []

    def send(self, process: str, frame: bytes) -> None:
        super().send(process, frame)
        self.to.append(process)


async def test_frames_leave_in_the_order_of_what_was_said_and_those_of_words_alone_last() -> None:
    wire = Letters()
    processes = ["far", "a", "z", "m", "b", "y", "c", "x"]
    places = {f"worker/{name}": Place(name, Center) for name in processes}
    directory = Directory({HERE: Place("home", Center), **places})
    giver = Switch(Origin("run", "home", 1), directory, Inbox(), Pool(), wire)

    for name in processes[:4]:
        giver.say(Cancel(HERE, f"worker/{name}", 1, 1, 7))
    for name in processes[:2:-1]:
        giver.send(giver.link(HERE, f"worker/{name}"), call(1))
    await asyncio.sleep(0)

    assert wire.to == ["x", "c", "y", "b", "m", "far", "a", "z"]
    giver.close()


async def test_names_that_come_in_frames_are_kept_once() -> None:
    taker = switch(Inbox())
    taker.frame(frame(packet()))
    taker.frame(frame(packet(target="center/1")))

    links = list(taker.links.values())

    assert [link.remote for link in links] == [THERE, THERE]
    assert links[0].remote is links[1].remote
    assert all(key[1] is links[0].remote for key in [*taker.links, *taker.books])
    taker.close()


def test_a_link_that_waits_for_nothing_is_not_said_to_have_lost_anything() -> None:
    async def main() -> None:
        wire = Wire()
        wire.resend_after = 1.0
        giver = switch(Inbox(), wire)
        links = [giver.link(name, THERE) for name in (HERE, "center/1")]
        for link in links:
            giver.send(link, call(1))
        await asyncio.sleep(0.5)
        pair = Pair(THERE, HERE, 1, 1)
        giver.frame(frame((pair, Packet(1, (), Ack(received=1, handled=1, bytes=64)))))

        await asyncio.sleep(1)

        again = [unpack_frame(data, 0.0).packets for data in wire.frames[1:]]
        assert [[pair.source for pair, _ in packets] for packets in again] == [["center/1"]]
        giver.close()

    in_virtual_time(main())


def test_what_was_said_to_the_dead_is_not_said_again() -> None:
    async def main() -> None:
        wire = Wire()
        wire.resend_after = 1.0
        giver = switch(Inbox(), wire)
        giver.send(giver.link(HERE, THERE), call(1))
        await asyncio.sleep(0.5)
        died(giver, THERE)
        back(giver, THERE)

        await asyncio.sleep(5)

        assert len(wire.frames) == 1
        giver.close()

    in_virtual_time(main())


async def test_frames_are_bounded_however_much_there_is_to_say() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    for number in range(60):
        giver.send(giver.link(HERE, THERE), call(number, size=900_000))
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
    giver.send(giver.link(HERE, THERE), call(1))
    await asyncio.sleep(0)

    giver.connected("elsewhere")
    await asyncio.sleep(0)

    assert len(wire.frames) == 1
    giver.close()


async def test_what_a_closing_switch_has_to_acknowledge_is_said_at_once() -> None:
    wire, inbox = Wire(), Inbox()
    taker = switch(inbox, wire)
    taker.frame(frame(packet()))
    link = taker.link(HERE, THERE)
    link.inward.settle(inbox.came[0])
    taker.acknowledge(link)

    taker.close()

    assert len(wire.frames) == 1


def died(taker: Switch, actor: str) -> list[Link]:
    """Have an actor die, as the news of it do."""
    taker.directory.died(actor, "killed by signal 9", 2, final=False)
    return taker.part(actor)


def back(taker: Switch, actor: str, incarnation: int = 2) -> None:
    """Have the next incarnation of an actor of the other process stand."""
    taker.directory.add(actor, Place("far", Center, incarnation))
    taker.join(actor)


async def test_what_an_incarnation_says_before_the_news_of_it_is_taken_in_with_them() -> None:
    inbox = Inbox()
    taker = switch(inbox)

    taker.frame(frame(packet(source_is=2, number=5)))
    before = inbox.numbers
    died(taker, THERE)
    taker.frame(frame(packet(source_is=2, number=6, first=2)))
    between = inbox.numbers
    back(taker, THERE)

    assert (before, between, inbox.numbers) == ([], [], [5, 6])
    assert taker.refused == {}
    taker.close()


async def test_a_chunk_of_an_incarnation_nobody_told_of_is_taken_in_with_the_news() -> None:
    inbox = Inbox()
    taker = switch(inbox)
    message = Message(Kind.ASK, 7, "take", Body(b"", parts=(Part(10),)))

    taker.chunk(chunk((4, 2), (9, 10)), memoryview(b"0123456789"))
    taker.frame(frame((Pair(THERE, HERE, 2, 1), Packet(1, (message,), Ack()))))
    died(taker, THERE)
    back(taker, THERE)

    assert inbox.numbers == [7]
    assert inbox.came[0].body.parts[0].memory.tobytes() == b"0123456789"
    taker.close()


async def test_what_a_dead_incarnation_said_is_refused_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inbox = Inbox()
    taker = switch(inbox)
    died(taker, THERE)

    taker.frame(frame(packet()))
    taker.chunk(chunk(), memoryview(bytes(10)))

    assert inbox.came == []
    assert taker.refused == {"packet": 1, "chunk": 1}
    assert "worker/0 is spoken of in incarnation 1, but it is 2" in caplog.text


async def test_more_than_two_windows_ahead_of_the_news_are_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taker = switch(Inbox(), window=Window(messages=2, bytes=100))

    for number in range(1, 30):
        taker.frame(frame(packet(source_is=2, number=number, first=number)))

    assert 0 < taker.refused["packet"] < 29
    assert "worker/0 has said" in caplog.text
    assert "as incarnation 2, which nobody has told of, and no more is kept" in caplog.text


async def test_an_answer_to_a_dead_incarnation_of_this_process_is_told_and_refused() -> None:
    inbox = Inbox()
    taker = switch(inbox)
    died(taker, HERE)

    taker.frame(frame(packet(number=8, kind=Kind.ANSWER)))
    taker.frame(frame(packet(number=9)))

    assert inbox.orphans == [(Pair(HERE, THERE, 1, 1), 8)]
    assert inbox.came == []
    assert taker.refused == {"packet": 2}


async def test_an_answer_over_a_link_whose_other_end_has_died_goes_no_further() -> None:
    wire, inbox = Wire(), Inbox()
    giver = switch(inbox, wire)
    link = giver.link(HERE, THERE)
    died(giver, THERE)

    giver.answer(link, call(8, kind=Kind.ANSWER))
    await asyncio.sleep(0)

    assert inbox.orphans == [(Pair(THERE, HERE, 1, 1), 8)]
    assert wire.frames == []


async def test_what_is_said_to_the_dead_waits_for_the_next_incarnation() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    died(giver, THERE)
    giver.send(giver.link(HERE, THERE), call(3))
    giver.say(Cancel(HERE, THERE, 1, 2, 3))
    await asyncio.sleep(0)
    before = list(wire.frames)

    back(giver, THERE)
    await asyncio.sleep(0)

    assert before == []
    (said,) = (unpack_frame(data, 0.0) for data in wire.frames)
    assert said.packets[0][0] == Pair(HERE, THERE, 1, 2)
    assert [message.number for message in said.packets[0][1].messages] == [3]
    assert said.words == []
    giver.close()


async def test_a_death_parts_the_links_of_the_dead_and_no_others() -> None:
    giver = switch(Inbox())
    links = [giver.link(*ends) for ends in ((HERE, THERE), ("center/1", THERE), (HERE, "worker/1"))]

    parted = died(giver, THERE)

    assert parted == links[:2]
    assert [link.parted for link in links] == [True, True, False]
    assert giver.link(HERE, THERE) is not links[0]


async def test_each_pair_of_incarnations_has_its_row_and_all_share_their_books() -> None:
    giver = switch(Inbox())
    old = giver.link(HERE, THERE)
    died(giver, THERE)
    new = giver.link(HERE, THERE)

    rows = dict(giver.journal.rows())

    assert rows[Key(HERE, 1, THERE, 1)] is old.out.row is old.inward.row
    assert rows[Key(HERE, 1, THERE, 2)] is new.out.row
    assert old.out.books is new.out.books is giver.books[HERE, THERE]


async def test_a_call_over_a_link_of_the_dead_cannot_be_taken_back() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    link = giver.link(HERE, THERE)
    giver.send(link, call(3))
    died(giver, THERE)

    assert not giver.cancel(link, 3)
    await asyncio.sleep(0)
    assert wire.frames == []


async def test_a_call_that_has_left_is_taken_back_by_a_word_that_says_why() -> None:
    wire = Wire()
    giver = switch(Inbox(), wire)
    link = giver.link(HERE, THERE)
    giver.send(link, call(3))
    await asyncio.sleep(0)

    said = giver.cancel(link, 3, "cycle")
    await asyncio.sleep(0)

    assert not said
    words = [word for data in wire.frames for word in unpack_frame(data, 0.0).words]
    assert words == [Cancel(HERE, THERE, 1, 1, 3, "cycle")]
    giver.close()
