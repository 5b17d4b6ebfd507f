"""Small worlds: nodes of one process, joined by memory, by ZeroMQ, or by a network that loses."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
import zmq

from tests.actors.lines import LINES, Line
from tests.actors.pretend import Pretend
from tether.actors import accelerator
from tether.actors.cell import Cell
from tether.actors.directory import Directory, Place
from tether.actors.frames import Origin
from tether.actors.keyring import Keyring
from tether.actors.message import Body, Kind, Message
from tether.actors.node import Node
from tether.actors.packet import Window
from tether.actors.transport import Receiver, Transport
from tether.actors.zeromq import ZeroMQ

R = TypeVar("R")
SIDES = ("left", "right")
Again = Callable[[str, int], Transport]


@pytest.fixture(autouse=True, scope="module")
def imported_is_no_garbage() -> Iterator[None]:
    """Have the collector leave alone what is there, as it is called often by some tests."""
    gc.freeze()
    yield
    gc.unfreeze()


class Script:
    """An actor whose life is what a test wants to be done inside one."""

    def __init__(self, play: Callable[[], Awaitable[Any]]) -> None:
        self.play = play
        self.came: list[Any] = []
        self.value: Any = None

    async def run(self) -> None:
        self.value = await self.play()

    async def take(self, value: Any) -> None:
        self.came.append(value)


class World:
    """The two sides of a run: two nodes, or in memory one node that is both.

    `again` makes the transport of a side that is started anew, for the how-manieth time.
    """

    def __init__(self, nodes: Mapping[str, Node], again: Again | None = None) -> None:
        self.nodes = dict(nodes)
        self.again = again
        self.makes: dict[str, tuple[Callable[[], object], str]] = {}
        self.reports: list[tuple[str, int | None, dict[str, float]]] = []
        self._ended: dict[str, asyncio.Future[BaseException | None]] = {}
        for node in self.each:
            node.recorded = self.record
            self._enter(node.origin.process, Place(node.origin.process, object))

    def record(self, name: str, step: int | None, metrics: dict[str, float]) -> None:
        self.reports.append((name, step, metrics))

    @property
    def each(self) -> list[Node]:
        return list({id(node): node for node in self.nodes.values()}.values())

    @property
    def one_process(self) -> bool:
        return len(self.each) == 1

    def _enter(self, name: str, place: Place) -> None:
        for node in self.each:
            node.directory.add(name, place)

    def spawn(
        self, name: str, make: Callable[[], object], cls: type | None = None, at: str = "right"
    ) -> Any:
        """Make an actor; return a handle on it for use on the left side."""
        node = self.nodes[at]
        self.makes[name] = make, at
        cls = cls or (make if isinstance(make, type) else None)
        self._enter(name, Place(node.origin.process, cls or object, host=at))
        cell = node.spawn(name, make)
        self._enter(name, Place(node.origin.process, type(cell.actor), host=at))
        return self.ref(name)

    def ref(self, name: str, at: str = "left") -> Any:
        """Return a handle for use on one side."""
        return self.nodes[at].ref(name)

    def cell(self, name: str) -> Cell:
        return next(node.cells[name] for node in self.each if name in node.cells)

    def actor(self, name: str) -> Any:
        """Return the object behind a name."""
        return self.cell(name).actor

    def start(self, play: Callable[[], Awaitable[Any]], name: str = "script/0") -> None:
        """Have something done as the life of an actor on the left side."""
        self.spawn(name, lambda: Script(play), Script, at="left")
        ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self._ended[name] = ended

        def end(_name: str, error: BaseException | None) -> None:
            if not ended.done():
                ended.set_result(error)

        self.cell(name).live(end)

    async def end(self, name: str = "script/0") -> Any:
        """Wait for the end of such a life; return its value, or raise what it raised."""
        error = await self._ended[name]
        if error is not None:
            raise error
        return self.actor(name).value

    async def act(self, play: Callable[[], Awaitable[R]], name: str = "script/0") -> R:
        """Do something as an actor of the left side, and return its value."""
        self.start(play, name)
        value: R = await self.end(name)
        return value

    def books(self, source: str, target: str) -> dict[str, Any]:
        """Return the accounts of one pair."""
        for node in self.each:
            for entry in node.accounts():
                if (entry["from"], entry["to"]) == (source, target):
                    return entry
        raise LookupError(f"{source} never spoke to {target}")

    async def quiet(self) -> None:
        """Wait until nothing is under way anywhere."""
        await until(lambda: all(node.quiet for node in self.each))

    async def close(self) -> None:
        for node in self.each:
            await node.close(0)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; a test's time limit bounds it."""
    while not condition():  # noqa: ASYNC110 - what is waited for sets no Event
        await asyncio.sleep(0.001)


def memory_world(window: Window | None = None) -> World:
    """Return a world in which everything lives in one process."""
    node = Node(Origin("run", "home", 1), Directory({}), window=window)
    return World(dict.fromkeys(SIDES, node))


async def joined(
    transports: Mapping[str, Transport],
    window: Window | None = None,
    run: str = "run",
    again: Again | None = None,
) -> World:
    """Return a world of several nodes, each with its transport, started."""
    nodes = {
        side: Node(Origin(run, side, 1), Directory({}), transport=transport, window=window)
        for side, transport in transports.items()
    }
    world = World(nodes, again)
    for node in nodes.values():
        await node.start()
    return world


async def joined_over(line: Line, folder: Path, window: Window | None = None) -> World:
    """Return two sides joined by a transport, of which each may be started anew."""
    addresses = line.endpoints(folder, *SIDES)

    def again(side: str, start: int) -> Transport:
        return line.make(side, start, addresses)

    return await joined({side: again(side, 1) for side in SIDES}, window, again=again)


@pytest.fixture(params=LINES)
def line(request: pytest.FixtureRequest) -> Line:
    """Each transport between real processes."""
    return LINES[request.param]


@pytest.fixture
def folder() -> Any:
    """A folder whose path is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="w"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


Make = Callable[..., Awaitable[World]]


@pytest.fixture(params=["memory", *LINES])
async def make_world(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Make]:
    """What makes the two sides, in one process and over each transport."""
    made: list[World] = []

    async def make(window: Window | None = None) -> World:
        if request.param == "memory":
            made.append(memory_world(window))
        else:
            made.append(await joined_over(LINES[request.param], folder, window))
        return made[-1]

    yield make
    for world in made:
        await world.close()


@pytest.fixture
async def world(make_world: Make) -> World:
    """Two sides with the usual window."""
    return await make_world()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """A GPU that a test has in its hand."""
    gpu = Pretend()
    monkeypatch.setattr(accelerator, "here", gpu)
    return gpu


@pytest.fixture
async def memory() -> AsyncIterator[World]:
    """One process."""
    world = memory_world()
    yield world
    await world.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer when there is nothing else to do."""

    _ready: Any
    _scheduled: Any

    def __init__(self) -> None:
        super().__init__()
        self.virtual = 0.0

    def time(self) -> float:
        return self.virtual

    def _run_once(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            self._scheduled[0]._scheduled = False
            self._scheduled.remove(self._scheduled[0])
            self._timer_cancelled_count = max(0, self._timer_cancelled_count - 1)
        if not self._ready and not self._stopping:
            if not self._scheduled:
                raise RuntimeError("all wait, and nothing can ever happen again")
            self.virtual = max(self.virtual, self._scheduled[0]._when)
            if self.virtual > 300:
                raise RuntimeError("five minutes have gone by, and it has not come to an end")
        super()._run_once()  # type: ignore[misc]

    _stopping: bool
    _timer_cancelled_count: int


def in_virtual_time(main: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine with a clock that costs nothing."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class Air:
    """A network that loses, doubles and reorders what it carries, as its seed says."""

    def __init__(self, seed: int, loss: float = 0.2, double: float = 0.2) -> None:
        self.random = Random(seed)
        self.loss = loss
        self.double = double
        self.receivers: dict[str, Receiver] = {}
        self.carried = 0

    def carry(self, process: str, bring: Callable[[Receiver], None]) -> None:
        self.carried += 1
        for _ in range(2 if self.random.random() < self.double else 1):
            if self.random.random() >= self.loss:
                loop = asyncio.get_running_loop()
                loop.call_later(self.random.random() * 0.02, self._bring, process, bring)

    def _bring(self, process: str, bring: Callable[[Receiver], None]) -> None:
        if process in self.receivers:
            bring(self.receivers[process])


class Lossy:
    """One process's connection to such a network."""

    resend_after: float | None = 0.05
    shares = False

    def __init__(self, process: str, air: Air) -> None:
        self.process = process
        self.air = air
        self.closed = False

    async def start(self, receiver: Receiver) -> None:
        self.air.receivers[self.process] = receiver

    def send(self, process: str, frame: bytes) -> None:
        if not self.closed:
            self.air.carry(process, lambda receiver: receiver.frame(frame))

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        if not self.closed:
            copy = bytes(data)
            self.air.carry(process, lambda receiver: receiver.chunk(header, memoryview(copy)))

    def loans(self, process: str) -> None: ...

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        """What is in the air comes down at whoever bears the name then."""

    async def close(self, linger: float) -> None:
        if not self.closed:
            self.closed = True
            self.air.receivers.pop(self.process, None)


async def lossy_world(seed: int, window: Window | None = None, loss: float = 0.2) -> World:
    """Return two sides joined by a network that loses."""
    air = Air(seed, loss)
    transports = {side: Lossy(side, air) for side in SIDES}
    return await joined(transports, window, again=lambda side, _start: Lossy(side, air))


def call(number: int = 1, size: int = 0, kind: Kind = Kind.TELL, **more: Any) -> Message:
    """Return a message of so many bytes of structure."""
    return Message(kind, number, more.pop("method", "tick"), Body(b"x" * size), **more)


HOSTS = {"left": "a", "right": "b"}
"""On which host each side is, where they are on two."""


def keyrings(*hosts: str) -> dict[str, Keyring]:
    """Return new keys of some hosts."""
    pairs = {host: zmq.curve_keypair() for host in hosts}
    public = {host: pair[0] for host, pair in pairs.items()}
    return {host: Keyring(host, pair[1], public) for host, pair in pairs.items()}


def far(side: str, keyring: Keyring | None, **more: Any) -> ZeroMQ:
    """Return the network of a side that others reach by TCP; who is where is not known yet."""
    addresses = {side: ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")}
    return ZeroMQ(side, 1, addresses, keyring=keyring, hosts=HOSTS, **more)


def acquaint(*transports: ZeroMQ) -> None:
    """Tell all where each listens."""
    for one in transports:
        for other in transports:
            one.addresses[other.process] = other.bound


async def guarded(**more: Any) -> World:
    """Return two sides on two hosts, which know each other's keys."""
    keys = keyrings("a", "b")
    transports = {side: far(side, keys[HOSTS[side]], **more) for side in SIDES}
    world = await joined(transports)
    acquaint(*transports.values())
    return world
