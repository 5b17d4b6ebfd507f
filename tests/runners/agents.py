"""Networks between agents, for tests: in memory, and with the eyes of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.runners.scripted import ENDLESS, Answers, Scripted, Watching
from tests.runners.worlds import HOSTED, plan
from tether.actors.clock import SystemClock
from tether.actors.transport import Receiver
from tether.runners.conductor import Conductor
from tether.runners.folder import RunFolder
from tether.runners.home import Home
from tether.runners.outpost import Outpost
from tether.runners.result import Start
from tether.runners.spec import Plan


class Wire:
    """A network of agents in memory: what is sent comes at the loop's next turn, unless cut."""

    def __init__(self) -> None:
        self.receivers: dict[str, Receiver] = {}
        self.sent: list[Any] = []
        self.cut = False
        self.mute: set[str] = set()
        """Hosts of which nothing is heard, though they hear."""

    def at(self, host: str) -> End:
        """Return the place of a host's agent."""
        return End(self, host)

    def words(self, host: str) -> list[str]:
        """Return the words that were sent to a host."""
        return [packet[4] for to, packet in self.sent if to == host]


class End:
    """One agent's place in it."""

    resend_after: float | None = None
    shares = False

    def __init__(self, wire: Wire, host: str) -> None:
        self.wire = wire
        self.host = host
        self.renewed: list[str] = []

    async def start(self, receiver: Receiver) -> None:
        self.wire.receivers[self.host] = receiver

    def loans(self, process: str) -> None: ...

    def send(self, process: str, frame: bytes) -> None:
        self.wire.sent.append((process, msgpack.unpackb(frame, strict_map_key=False)))
        if not self.wire.cut and self.host not in self.wire.mute:
            asyncio.get_running_loop().call_soon(self._deliver, process, frame)

    def _deliver(self, process: str, frame: bytes) -> None:
        receiver = self.wire.receivers.get(process)
        if receiver is not None:
            receiver.frame(frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        raise AssertionError("agents send no chunks")

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        self.renewed.append(process)

    async def close(self, linger: float) -> None:
        self.wire.receivers.pop(self.host, None)


async def until(true: Callable[[], object], within: float = 10.0) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - what is waited for sets no Event
            await asyncio.sleep(0.001)


TIMES: Mapping[str, Any] = {
    "beat": 0.01, "unreachable": 0.1, "lost": 0.4, "wait": 5.0, "graceful": 0.2, "drain": 0.1,
    "checkpoint": 0.0,
}  # fmt: skip


class LoopClock(SystemClock):
    """The clock of the running loop, which may be virtual."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class Party:
    """A run over two hosts in one loop: agents in memory, and processes that say what they like."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, **times: float) -> None:
        tables = {**HOSTED, "run": {**TIMES, **times}}
        self.plan = plan(tables)
        self.wire = Wire()
        self.folder = folder
        self.said: list[str] = []
        self.scripts: dict[str, Mapping[str, Answers]] = {}
        self.made: dict[str, Scripted] = {}
        for module in ("home", "outpost"):
            patch.setattr(f"tether.runners.{module}.transport", self._network)
        patch.setattr("tether.runners.outpost.children", lambda *_given: self._make)
        self.home = self.new_home()

    def _network(self, host: str, *_given: object) -> End:
        return self.wire.at(host)

    def _make(self, name: str) -> Scripted:
        member = self.made[name] = Scripted(name, self.scripts.get(name, ENDLESS))
        return member

    def new_home(self, start: Start | None = None) -> Home:
        """Return home, with a conductor of its own."""
        folder = RunFolder(self.folder / "home")
        folder.logs.mkdir(parents=True, exist_ok=True)
        home = Home(self.plan, folder, "run", start or Start(), self.said.append, LoopClock())
        self.conductor = Conductor(
            self.plan, home.members(self._make), Watching(), clock=LoopClock()
        )
        return home

    def outpost(self, plan: Plan | None = None) -> Outpost:
        """Return an agent of the other host."""
        return Outpost(
            plan or self.plan, "right", self.folder / "there", self.said.append, LoopClock()
        )

    async def begin(self) -> tuple[Outpost, asyncio.Task[int]]:
        """Have both hosts in a run that goes on."""
        outpost = self.outpost()
        running = asyncio.ensure_future(outpost.run())
        await self.home.open(self.conductor)
        assert await self.home.gather()
        assert await self.conductor.start()
        return outpost, running

    async def end(self, code: int = 0) -> None:
        """End the run in good order."""
        self.conductor.stop()
        await self.conductor.close()
        await self.home.dismiss(code)
        await self.home.close(code)


Play = Callable[..., Party]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Make a run over two hosts, with other times than the usual ones if they are given."""
    return partial(Party, tmp_path, monkeypatch)
