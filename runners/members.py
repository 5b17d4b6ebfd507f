"""The processes of a run as their agent sees them: one in this process, or a child."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tether.actors.journal import Key
from tether.runners.blackbox import BlackBox
from tether.runners.channel import Channel
from tether.runners.duties import Duties
from tether.runners.process import Process, Restore

Hear = Callable[..., None]
"""Takes what a member says: itself, a word, and what belongs to it."""


class Box(Protocol):
    """What a process shows its agent of itself, which can still be read when it is dead."""

    @property
    def process_beat(self) -> float:
        """When it last showed a sign of life, by the agent's clock; 0 = never."""
        ...

    @property
    def loop_beat(self) -> float:
        """When its event loop last did; 0 = never."""
        ...

    @property
    def stall(self) -> str:
        """What holds its event loop, and since when; empty when nothing does."""
        ...

    @property
    def incomplete(self) -> bool:
        """Whether its journal has not all rows."""
        ...


class Member(Protocol):
    """A process of the run."""

    name: str

    @property
    def box(self) -> Box | None:
        """What it shows of itself, if it is another process."""
        ...

    async def start(self, hear: Hear, order: Mapping[str, Any]) -> None:
        """Start it; it says `ready`, or `unbuilt`, when it has made its actors."""
        ...

    def order(self, word: str, *details: Any) -> None:
        """Have it do something; it answers by saying so."""
        ...

    def rows(self) -> Iterable[tuple[Key, Sequence[int]]]:
        """Return what its journal says."""
        ...

    def kill(self) -> None:
        """Make an end of it now."""
        ...

    async def end(self, patience: float) -> None:
        """Wait so long for its end, then make an end of it."""
        ...


class Here:
    """The share of a run that lives in this very process."""

    box: BlackBox | None = None

    def __init__(self, process: Process) -> None:
        self.process = process
        self.name = process.node.origin.process
        self._duties = Duties(process)
        self._hear: Hear | None = None
        self._orders: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def _say(self, word: str, *details: Any) -> None:
        if self._hear is not None:
            self._hear(self, word, *details)

    async def start(self, hear: Hear, order: Mapping[str, Any]) -> None:
        """Make the actors; what goes wrong is raised here, where the user's own code is."""
        self._hear = hear
        self.process.tell = self._say
        self.process.enter(order)
        restore: Restore = order["restore"]
        await self.process.build(order["names"], restore, order["alone"])
        self._task = asyncio.get_running_loop().create_task(self._work())
        self._say("ready", os.getpid())

    def order(self, word: str, *details: Any) -> None:
        """Have something done, after all that was ordered before."""
        self._orders.put_nowait((word, *details))

    async def _work(self) -> None:
        word = ""
        while word != "close":
            word, *details = await self._orders.get()
            await self._duties.obey(word, *details)

    def rows(self) -> Iterable[tuple[Key, Sequence[int]]]:
        """Return what its journal says."""
        return self.process.node.switch.journal.rows()

    def kill(self) -> None:
        """Cancel what is still being done: a process does not kill itself."""
        if self._task is not None:
            self._task.cancel()

    async def end(self, patience: float) -> None:
        """Wait for what is still being done."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=patience)
            self._task.cancel()


class Child:
    """A process this one started and watches: its end is seen at once, however it comes."""

    def __init__(
        self, name: str, base: Mapping[str, Any], log: Path, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self._base = base
        self.box: BlackBox | None = None
        self._log = log
        self._env = env
        self._channel: Channel | None = None
        self._waiting: list[tuple[Any, ...]] = []
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._life: int | None = None

    async def start(self, hear: Hear, order: Mapping[str, Any]) -> None:
        """Start the process and listen to what it says."""
        self._waiting.insert(0, ("plan", {**self._base, **order, "process": self.name}))
        self.box = BlackBox.create()
        ours, theirs = socket.socketpair()
        life_read, self._life = os.pipe()
        passed = (theirs.fileno(), life_read, self.box.fd)
        try:
            self._channel = await Channel.open(ours)
            waiting, self._waiting = self._waiting, []
            for said in waiting:  # before it is there: it has to know this though we die at once
                self._channel.send(*said)
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tether.runners.child",
                    *map(str, passed),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=passed,
                    start_new_session=True,
                    env=dict(self._env),
                )
        except BaseException:
            if self._channel is not None:
                await self._channel.closed()
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(life_read)
        self._watch = asyncio.get_running_loop().create_task(self._listen(hear))

    async def _listen(self, hear: Hear) -> None:
        assert self._process is not None
        reading = asyncio.get_running_loop().create_task(self._read(hear))
        code = await self._process.wait()
        self.kill()  # what it had started, such as the processes of a data loader
        await asyncio.wait([reading], timeout=1)
        reading.cancel()
        self._let_go()
        hear(self, "died", death(code))
        self._close_box()

    async def _read(self, hear: Hear) -> None:
        assert self._channel is not None
        while (said := await self._channel.receive()) is not None:
            hear(self, *said)

    def order(self, word: str, *details: Any) -> None:
        """Tell the process to do something; before it can hear, that waits."""
        if self._channel is not None:
            self._channel.send(word, *details)
        else:
            self._waiting.append((word, *details))

    def rows(self) -> Iterable[tuple[Key, Sequence[int]]]:
        """Return what its journal says."""
        return self.box.rows() if self.box is not None else []

    def kill(self) -> None:
        """Kill the process and what it has started: it leads a group of its own."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self, patience: float) -> None:
        """Wait so long for the process to end, then kill it."""
        if self._process is None:
            self._let_go()
            self._close_box()
            return
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        finally:
            if self._watch is not None:
                await asyncio.wait([self._watch], timeout=2)
            self._let_go()

    def _let_go(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._life is not None:
            os.close(self._life)
            self._life = None

    def _close_box(self) -> None:
        if self.box is not None:
            self.box.close()
            self.box = None


def death(code: int) -> str:
    """Return what an exit code says of a process's end."""
    if code < 0:
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process exited with code {code}"
