"""A witness sees what becomes of every call, where it happens and before anything comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.actors.conftest import SIDES, World, until
from tests.actors.deaths import Deaths
from tether.actors import ActorGone, batched, oneway, within
from tether.actors.cell import Cell
from tether.actors.directory import Directory, Place
from tether.actors.frames import Origin
from tether.actors.link import Link
from tether.actors.message import Message
from tether.actors.node import Node
from tether.actors.packet import Window


class Center:
    """Holds what comes until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def echo(self, value: int) -> int:
        return value

    async def fail(self) -> None:
        raise ValueError("no such number")

    async def hold(self) -> None:
        await self.open.wait()

    @oneway
    async def tell(self, value: int) -> None: ...

    @oneway(keep="latest")
    async def newest(self, value: int) -> None: ...

    @batched(max_size=4)
    async def square(self, values: list[int]) -> list[int]:
        return [value * value for value in values]


class Seen:
    """Writes down what it sees, and how far the receiver's link was when a call began."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.answers: list[Any] = []
        self.started: list[bool] = []

    def sent(self, link: Link, message: Message) -> None:
        self.lines.append(f"sent {message.method} to {link.remote}")
        assert message not in link.out._unacked, "it has left before it was seen"

    def resent(self, link: Link, message: Message) -> None:
        incarnation = link.pair.target_incarnation
        self.lines.append(f"resent {message.method} to incarnation {incarnation}")

    def withdrawn(self, link: Link, message: Message) -> None:
        self.lines.append(f"withdrawn {message.method} by {link.local}")

    def came(self, link: Link, message: Message) -> None:
        self.lines.append(f"came {message.method} from {link.remote}")

    def begun(self, cell: Cell, message: Message) -> None:
        self.lines.append(f"begun {message.method} in {cell.name}")
        self.started.append(message.link.inward.started >= message.number)

    def answered(self, cell: Cell, message: Message, value: Any) -> None:
        self.lines.append(f"answered {message.method}")
        self.answers.append(value)

    def settled(self, link: Link, message: Message, dropped: str | None) -> None:
        self.lines.append(f"settled {message.method} as {dropped or 'handled'}")


class Stage:
    """A center that a script calls, in one process, and who sees it."""

    def __init__(self, window: Window | None = None) -> None:
        self.seen = Seen()
        origin = Origin("run", "home", 1)
        self.node = Node(origin, Directory({}), window=window, witness=self.seen)
        self.world = World(dict.fromkeys(SIDES, self.node))
        self.center = self.world.spawn("center/0", Center)

    async def held(self, waiting: int) -> None:
        """Wait until the center handles one message and so many wait there."""
        cell = self.world.cell("center/0")
        await until(lambda: cell.current is not None and len(cell.mailbox) == waiting)

    def open(self) -> None:
        self.world.actor("center/0").open.set()

    def lines_of(self, method: str) -> list[str]:
        return [line for line in self.seen.lines if line.split()[1] == method]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Center and script with the usual window."""
    stage = Stage()
    yield stage
    await stage.world.close()


async def test_an_ask_is_sent_comes_begins_is_answered_and_settled(stage: Stage) -> None:
    await stage.world.act(lambda: stage.center.echo(5))

    assert stage.seen.lines == [
        "sent echo to center/0",
        "came echo from script/0",
        "begun echo in center/0",
        "answered echo",
        "settled echo as handled",
    ]
    assert stage.seen.answers == [5]


async def test_a_call_is_seen_to_begin_before_it_counts_as_begun(stage: Stage) -> None:
    await stage.world.act(lambda: stage.center.echo(5))

    assert stage.seen.started == [False]


async def test_a_one_way_is_seen_as_an_ask_is(stage: Stage) -> None:
    await stage.world.act(lambda: stage.center.tell(5))
    await stage.world.quiet()

    assert [line.split()[0] for line in stage.seen.lines] == [
        "sent", "came", "begun", "answered", "settled"
    ]  # fmt: skip


async def test_each_call_of_a_batch_begins_and_is_answered(stage: Stage) -> None:
    async def play() -> list[int]:
        return list(await asyncio.gather(*(stage.center.square(n) for n in range(3))))

    squares = await stage.world.act(play)

    words = [line.split()[0] for line in stage.seen.lines]
    assert squares == stage.seen.answers == [0, 1, 4]
    assert [words.count(word) for word in ("sent", "came", "begun", "settled")] == [3] * 4
    assert words.index("answered") > len(words) - 1 - words[::-1].index("begun")


async def test_a_failure_is_no_answer_but_handled(stage: Stage) -> None:
    with pytest.raises(ValueError, match="no such number"):
        await stage.world.act(stage.center.fail)

    assert [line.split()[0] for line in stage.seen.lines] == ["sent", "came", "begun", "settled"]
    assert stage.seen.lines[-1] == "settled fail as handled"


async def test_what_nobody_can_take_is_dropped_as_absent(stage: Stage) -> None:
    stage.node.directory.add("nobody/0", Place("home", Center))

    with pytest.raises(ActorGone, match="nobody/0 does not run in home"):
        await stage.world.act(lambda: stage.world.ref("nobody/0").echo(5))

    assert stage.seen.lines == ["sent echo to nobody/0", "settled echo as absent"]


async def test_what_is_cancelled_before_it_is_handled_is_dropped(stage: Stage) -> None:
    async def play() -> None:
        held = asyncio.ensure_future(stage.center.hold())
        echo = asyncio.ensure_future(stage.center.echo(1))
        await stage.held(1)
        echo.cancel()
        await stage.held(0)
        stage.open()
        await held

    await stage.world.act(play)

    assert stage.lines_of("echo") == [
        "sent echo to center/0", "came echo from script/0", "settled echo as cancelled"
    ]  # fmt: skip


async def test_what_is_cancelled_before_it_has_left_is_withdrawn() -> None:
    stage = Stage(Window(messages=1))

    async def play() -> None:
        held = asyncio.ensure_future(stage.center.hold())
        echo = asyncio.ensure_future(stage.center.echo(1))
        await stage.held(0)
        echo.cancel()
        await asyncio.wait([echo])
        stage.open()
        await held

    await stage.world.act(play)
    await stage.world.close()

    assert stage.lines_of("echo") == ["sent echo to center/0", "withdrawn echo by script/0"]


async def test_what_is_too_late_is_dropped_as_expired(stage: Stage) -> None:
    async def play() -> None:
        held = asyncio.ensure_future(stage.center.hold())
        await stage.held(0)
        loop = asyncio.get_running_loop()
        async with within(0.01):
            await stage.center.tell(1)
        over = loop.time() + 0.01
        await until(lambda: loop.time() > over)
        stage.open()
        await held

    await stage.world.act(play)
    await stage.world.quiet()

    assert stage.lines_of("tell")[-1] == "settled tell as expired"


async def test_what_a_newer_one_replaces_is_dropped_as_superseded(stage: Stage) -> None:
    async def play() -> None:
        held = asyncio.ensure_future(stage.center.hold())
        await stage.held(0)
        await stage.center.newest(1)
        await stage.center.newest(2)
        stage.open()
        await held

    await stage.world.act(play)
    await stage.world.quiet()

    assert [line for line in stage.lines_of("newest") if "settled" in line] == [
        "settled newest as superseded", "settled newest as handled"
    ]  # fmt: skip


async def test_what_the_dead_had_not_begun_is_handed_on(stage: Stage) -> None:
    deaths = Deaths(stage.world)

    async def play() -> int:
        held = asyncio.ensure_future(stage.center.hold())
        echo = asyncio.ensure_future(stage.center.echo(7))
        await stage.held(1)
        await deaths.replace("center/0")
        with pytest.raises(ActorGone, match=r"what became of Center\.hold is unknown"):
            await held
        value: int = await echo
        return value

    value = await stage.world.act(play)

    assert value == 7
    assert stage.lines_of("echo") == [
        "sent echo to center/0",
        "came echo from script/0",
        "resent echo to incarnation 2",
        "came echo from script/0",
        "begun echo in center/0",
        "answered echo",
        "settled echo as handled",
    ]


async def test_without_a_witness_all_goes_as_ever(memory: World) -> None:
    center = memory.spawn("center/0", Center)

    value = await memory.act(lambda: center.echo(5))

    assert value == 5
    assert memory.nodes["left"].witness is None
