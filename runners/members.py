"""The processes of a run as their conductor sees them: one in this process, or a child."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from tether.runners.channel import Channel
from tether.runners.process import Process

Hear = Callable[..., None]
"""Takes what a member says: itself, a word, and what belongs to it."""


class Member(Protocol):
    """A process of the run."""

    name: str
    actors: list[str]

    async def start(self, hear: Hear) -> None:
        """Start it; it says `ready`, or `unbuilt`, when it has made its actors."""
        ...

    def order(self, word: str, *details: Any) -> None:
        """Have it do something; it answers by saying so."""
        ...

    def kill(self) -> None:
        """Make an end of it now."""
        ...

    async def end(self, patience: float) -> None:
        """Wait so long for its end, then make an end of it."""
        ...


class Here:
    """The share of a run that lives in this very process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.name = process.node.origin.process
        self.actors = [spec.name for spec in process.specs]
        self._hear: Hear | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def _say(self, word: str, *details: Any) -> None:
        if self._hear is not None:
            self._hear(self, word, *details)

    async def start(self, hear: Hear) -> None:
        """Make the actors; what goes wrong is raised here, where the user's own code is."""
        self._hear = hear
        self.process.tell = self._say
        await self.process.build()
        self._say("ready", os.getpid())

    def order(self, word: str, *details: Any) -> None:
        """Do something, in a task of its own where it takes time."""
        if word == "go":
            self._say("lives", self.process.go())
        elif word == "quiet":
            self._say("quiet", self.process.quiet)
        elif word == "gone":
            for actor in details[0]:
                self.process.node.gone(actor, details[1])
        else:
            task = asyncio.get_running_loop().create_task(self._later(word, *details))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _later(self, word: str, *details: Any) -> None:
        if word == "stop_life":
            await self.process.stop_life(services_only=details[0])
            self._say("stopped_life")
            return
        self._say("closed", await self.process.close())

    def kill(self) -> None:
        """Cancel what is still being done: a process does not kill itself."""
        for task in self._tasks:
            task.cancel()

    async def end(self, patience: float) -> None:
        """Wait for what is still being done."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)


class Child:
    """A process this one started and watches: its end is seen at once, however it comes."""

    def __init__(
        self,
        name: str,
        actors: list[str],
        order: Mapping[str, Any],
        log: Path,
        env: Mapping[str, str],
    ) -> None:
        self.name = name
        self.actors = actors
        self._order = order
        self._log = log
        self._env = env
        self._channel: Channel | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._life: int | None = None

    async def start(self, hear: Hear) -> None:
        """Start the process and listen to what it says."""
        ours, theirs = socket.socketpair()
        life_read, self._life = os.pipe()
        try:
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tether.runners.child",
                    str(theirs.fileno()),
                    str(life_read),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(theirs.fileno(), life_read),
                    start_new_session=True,
                    env=dict(self._env),
                )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(life_read)
        self._channel = await Channel.open(ours)
        self._channel.send("plan", self._order)
        self._watch = asyncio.get_running_loop().create_task(self._listen(hear))

    async def _listen(self, hear: Hear) -> None:
        assert self._process is not None
        reading = asyncio.get_running_loop().create_task(self._read(hear))
        code = await self._process.wait()
        self.kill()  # what it had started, such as the processes of a data loader
        await asyncio.wait([reading], timeout=1)
        reading.cancel()
        hear(self, "died", death(code))

    async def _read(self, hear: Hear) -> None:
        assert self._channel is not None
        while (said := await self._channel.receive()) is not None:
            hear(self, *said)

    def order(self, word: str, *details: Any) -> None:
        """Tell the process to do something."""
        if self._channel is not None:
            self._channel.send(word, *details)

    def kill(self) -> None:
        """Kill the process and what it has started: it leads a group of its own."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self, patience: float) -> None:
        """Wait so long for the process to end, then kill it."""
        if self._process is None:
            self._close()
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
            self._close()

    def _close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._life is not None:
            os.close(self._life)
            self._life = None


def death(code: int) -> str:
    """Return what an exit code says of a process's end."""
    if code < 0:
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process exited with code {code}"
