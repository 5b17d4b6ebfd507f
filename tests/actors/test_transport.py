"""What every transport of real processes withstands: floods, bulk, breaks, silence, death.

Each test is played over ZeroMQ and over Unix sockets.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from tests.actors import breaks
from tests.actors.breaks import cut_amid
from tests.actors.conftest import SIDES, Air, Lossy, World, joined, joined_over, until
from tests.actors.deaths import Deaths
from tests.actors.lines import Line
from tether.actors import buffer
from tether.actors.directory import Directory, Place
from tether.actors.frames import Lease, Origin
from tether.actors.inflow import MAX_MESSAGE
from tether.actors.node import Node
from tether.actors.switch import Switch
from tether.actors.transport import Receiver, Transport
from tether.actors.zeromq import MAX_FRAME


async def test_real_and_lossy_networks_are_transports(folder: Path, line: Line) -> None:
    real: Transport = line.make("left", 1, line.endpoints(folder, "left"))
    lossy: Transport = Lossy("left", Air(0))

    assert (real.resend_after, lossy.resend_after) == (None, 0.05)
    await real.close(0)
    await lossy.close(0)


def test_a_switch_takes_in_what_they_bring() -> None:
    receiver: type[Receiver] = Switch

    assert all(hasattr(receiver, name) for name in ("frame", "chunk", "connected"))


class Center(breaks.Center):
    async def total(self, x: torch.Tensor) -> float:
        return x.sum().item()

    async def count(self) -> int:
        return len(self.got)


class Cable:
    """A stretch of wire between a process and one endpoint, that a test can cut."""

    def __init__(self, near: Path, far: Path) -> None:
        self.near = near
        self.far = far
        self.carried = 0
        self.cut_after: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def lay(self) -> None:
        self._server = await asyncio.start_unix_server(self._connect, self.near)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self.far)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                self.carried += len(data)
                if self.cut_after is not None and self.carried >= self.cut_after:
                    self.cut()
                    return
                writer.write(data)
                await writer.drain()
            writer.close()

    def cut(self) -> None:
        """Break all connections: what is in them is lost."""
        self.cut_after = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def remove(self) -> None:
        self.cut()
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def cables(folder: Path) -> AsyncIterator[dict[str, Cable]]:
    """The two cables from left to right."""
    found = {line: Cable(folder / f"cable.{line}", folder / f"right.{line}") for line in ("c", "b")}
    for cable in found.values():
        await cable.lay()
    yield found
    for cable in found.values():
        await cable.remove()


@pytest.fixture
async def cabled(folder: Path, cables: dict[str, Cable], line: Line) -> AsyncIterator[World]:
    """Two processes; what the left one says goes through cables."""
    addresses = line.endpoints(folder, *SIDES)
    way = {**addresses, "right": (line.address(cables["c"].near), line.address(cables["b"].near))}
    world = await joined(
        {"left": line.make("left", 1, way), "right": line.make("right", 1, addresses)}
    )
    yield world
    await world.close()


@pytest.fixture
async def pair(folder: Path, line: Line) -> AsyncIterator[World]:
    world = await joined_over(line, folder)
    yield world
    await world.close()


@pytest.mark.parametrize("lines", ["c", "b", "cb", "bc"])
async def test_broken_connections_lose_and_double_nothing(
    cabled: World, cables: dict[str, Cable], lines: str
) -> None:
    await cut_amid(cabled, cabled.spawn("center/0", Center), [cables[line] for line in lines])


async def test_a_tensor_whose_connection_breaks_amid_it_arrives_whole(
    cabled: World, cables: dict[str, Cable]
) -> None:
    center = cabled.spawn("center/0", Center)
    x = torch.arange(3_000_000.0)
    cables["b"].cut_after = 5_000_000

    again = await center.echo(x)

    assert torch.equal(again, x)
    assert cables["b"].cut_after is None


async def test_structure_is_sent_again_in_frames_that_are_let_in(
    cabled: World, cables: dict[str, Cable]
) -> None:
    center = cabled.spawn("center/0", Center)
    cables["c"].cut_after = 10_000_000

    async def play() -> int:
        for number in range(40):
            await center.note(number, bytes(900_000))
        count: int = await center.count()
        return count

    assert await cabled.act(play) == 40
    assert max(MAX_FRAME, MAX_MESSAGE) < 20 * 900_000


async def test_a_small_ask_is_answered_while_a_large_tensor_moves(pair: World) -> None:
    bulky, center = pair.spawn("center/0", Center), pair.spawn("center/1", Center)
    order: list[str] = []

    async def large() -> None:
        x = buffer(50_000_000).zero_()
        assert await bulky.total(x) == 0
        order.append("200 MB")

    async def small() -> None:
        for number in range(3):
            assert await center.echo(number) == number
            order.append("small")

    pair.start(large, "large/0")
    await until(lambda: len(pair.nodes["left"].calls))
    await pair.act(small, "small/0")
    await pair.end("large/0")

    transport = pair.nodes["left"].transport
    assert transport is not None
    if not transport.shares:  # else it does not move at all
        assert order == ["small"] * 3 + ["200 MB"]


async def test_timers_run_while_a_flood_comes_in(pair: World) -> None:
    center = pair.spawn("center/0", Center)
    actor, loop = pair.actor("center/0"), asyncio.get_running_loop()
    seen: list[int] = []

    def tick() -> None:
        seen.append(len(actor.got))
        if seen[-1] < 5000:
            loop.call_later(0, tick)

    async def flood() -> None:
        for number in range(5000):
            await center.note(number)

    tick()
    await pair.act(flood)
    await pair.quiet()

    # The mailbox holds one window, so no tick can come later than that.
    assert max(b - a for a, b in itertools.pairwise(seen)) <= 64
    assert actor.got == list(range(5000))


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_hangs_over_random_sizes_in_both_directions(pair: World, seed: int) -> None:
    random = Random(seed)
    right, left = pair.spawn("center/0", Center), pair.spawn("center/1", Center, at="left")
    back = pair.ref("center/1", at="right")

    async def ask(center: Any, many: int) -> None:
        for _ in range(many):
            size = random.choice((0, 1, 100, 5_000, 20_000, 300_000))
            assert len(await center.echo(torch.empty(size))) == size

    await asyncio.gather(ask(right, 60), ask(right, 60), ask(left, 20), ask(back, 60))

    await pair.quiet()


def node(line: Line, side: str, folder: Path, run: str = "run") -> Node:
    """Return one process of two, which are to be left alone or started late."""
    places = {"center/0": Place("right", Center), "left": Place("left", object)}
    transport = line.make(side, 1, line.endpoints(folder, *SIDES))
    return Node(Origin(run, side, 1), Directory(places), transport=transport)


async def test_a_process_of_another_run_is_not_heard(folder: Path, line: Line) -> None:
    left, right = node(line, "left", folder, run="old"), node(line, "right", folder, run="new")
    cell = right.spawn("center/0", Center)
    await left.start()
    await right.start()

    ask = asyncio.ensure_future(left.ref("center/0").echo(1))
    await until(lambda: right.switch.refused["frame"])

    assert not ask.done()
    assert cell.idle
    ask.cancel()
    await left.close()
    await right.close()


async def test_a_process_that_comes_later_gets_what_was_said_before(
    folder: Path, line: Line
) -> None:
    left = node(line, "left", folder)
    await left.start()
    ask = asyncio.ensure_future(left.ref("center/0").echo(5))
    await asyncio.sleep(0)
    right = node(line, "right", folder)
    right.spawn("center/0", Center)
    await right.start()

    assert await ask == 5
    await right.close()
    await left.close()


async def test_socket_files_are_removed_in_the_end(folder: Path, line: Line) -> None:
    world = await joined_over(line, folder)
    center = world.spawn("center/0", Center)
    await center.echo(1)
    files = set(os.listdir(folder))  # noqa: PTH208 - a Path's own is refused in async functions

    await world.close()

    assert files == {"left.c", "left.b", "right.c", "right.b"}
    assert os.listdir(folder) == []  # noqa: PTH208


async def test_what_is_queued_for_nobody_does_not_hold_up_the_end(folder: Path, line: Line) -> None:
    transport = line.make("left", 1, line.endpoints(folder, *SIDES))
    transport.send("right", b"nobody listens")

    await transport.close(0)

    assert os.listdir(folder) == []  # noqa: PTH208


async def test_what_is_queued_may_leave_before_the_end(folder: Path, line: Line) -> None:
    world = await joined_over(line, folder)
    center = world.spawn("center/0", Center)
    await center.echo(1)

    await world.act(lambda: center.note(1, torch.zeros(1_000_000)))
    await asyncio.sleep(0)
    await world.nodes["left"].close(5)
    await until(lambda: world.actor("center/0").got)

    assert world.actor("center/0").got == [1]
    await world.nodes["right"].close()


class Noting:
    """Takes in what a transport brings."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.chunks: list[bytes] = []

    def frame(self, data: bytes, lease: Lease | None = None) -> None:
        self.frames.append(data)

    def chunk(self, header: bytes, data: memoryview) -> None:
        self.chunks.append(header)

    def connected(self, process: str) -> None: ...


async def test_what_is_queued_for_the_dead_does_not_come_to_who_follows(
    folder: Path, line: Line
) -> None:
    dead = line.deaf(folder)
    left = line.make("left", 1, line.endpoints(folder, *SIDES))
    await left.start(Noting())
    for _ in range(3000):
        left.send("right", b"for the dead")
        left.send_chunk("right", b"for the dead", memoryview(bytes(1000)))
    dead()

    left.renew("right")
    right, noting = line.make("right", 2, line.endpoints(folder, *SIDES)), Noting()
    await right.start(noting)
    left.send("right", b"for who follows")
    left.send_chunk("right", b"for who follows", memoryview(b"x"))
    await until(lambda: noting.frames and noting.chunks)

    assert (noting.frames, noting.chunks) == ([b"for who follows"], [b"for who follows"])
    await left.close(0)
    await right.close(0)


async def test_who_follows_is_spoken_to_at_another_address(folder: Path, line: Line) -> None:
    left = line.make("left", 1, line.endpoints(folder, *SIDES))
    left.send("right", b"where nobody is")
    elsewhere = line.endpoints(folder, "elsewhere")["elsewhere"]
    right, noting = line.make("right", 2, {"right": elsewhere}), Noting()
    await right.start(noting)

    left.renew("right", elsewhere)
    left.send("right", b"here")
    await until(lambda: noting.frames)

    assert noting.frames == [b"here"]
    await left.close(0)
    await right.close(0)


async def test_a_process_that_was_never_spoken_to_can_be_renewed(folder: Path, line: Line) -> None:
    left = line.make("left", 1, line.endpoints(folder, *SIDES))

    left.renew("right")
    left.renew("new", ("there.c", "there.b"))

    assert vars(left)["addresses"]["new"] == ("there.c", "there.b")
    await left.close(0)


async def test_a_process_started_anew_at_its_address_is_spoken_to(folder: Path, line: Line) -> None:
    world = await joined_over(line, folder)
    deaths, center = Deaths(world), world.spawn("center/0", Center)
    for number in range(5):
        assert await center.echo(torch.full((50_000,), number)) is not None
        deaths.down(*await deaths.kill("right"))
        asked = asyncio.ensure_future(center.count())
        await deaths.revive("right")
        assert await asked == 0

    await world.close()
