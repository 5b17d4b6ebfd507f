"""The agent of a host that is not home: it starts, watches and kills processes at home's word."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tether.actors.checkpoint import Checkpoints
from tether.actors.clock import Clock, SystemClock
from tether.actors.keyring import Keyring
from tether.runners.addresses import Addresses, hosts_by_process, of_agents, processes
from tether.runners.crew import Crew
from tether.runners.exchange import Exchange, Packet, Trunk
from tether.runners.folder import RunFolder
from tether.runners.hello import hello
from tether.runners.keys import wanted_keys
from tether.runners.launch import refuse_what_is_not_here
from tether.runners.parcel import pieces
from tether.runners.resume import prepared
from tether.runners.sockets import SocketFolder
from tether.runners.spec import Plan
from tether.runners.transport import transport
from tether.runners.up import children, told

UNSENT = 8
"""Messages that may be under way while files are sent."""
LEFT = 1
REFUSED = 2


def take_part(plan: Plan, host: str, path: Path | None, keys: Path, *, attached: bool) -> int:
    """Be the agent of a host that is not home until the run has ended; return the exit code.

    With `attached` it ends when the standard input does, which is the line to who started it.
    """
    import uvloop

    refuse_what_is_not_here(plan, host)
    keyring = wanted_keys(plan, host, keys)

    async def whole() -> int:
        outpost = Outpost(plan, host, path, told, keyring=keyring)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, outpost.signalled, number)
        if attached:
            watch_input(lambda: loop.call_soon_threadsafe(outpost.leave, "its launcher has ended"))
        return await outpost.run()

    return uvloop.run(whole())


def watch_input(ended: Callable[[], object]) -> None:
    """Have something called, in a thread, when the standard input ends."""

    def watch() -> None:
        with suppress(OSError, RuntimeError):  # without an input; or when the loop has ended before
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):
            ended()

    threading.Thread(target=watch, name="input", daemon=True).start()


class Outpost:
    """One start of such an agent: it ends with the run, or when home was silent for too long."""

    def __init__(
        self,
        plan: Plan,
        host: str,
        path: Path | None,
        tell: Callable[[str], None],
        clock: Clock | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self.plan = plan
        self.keyring = keyring
        self.host = host
        self.path = path
        self.tell = tell
        self.clock = clock or SystemClock(plan.run.seed)
        self.folder: RunFolder | None = None
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        network = transport(host, 1, of_agents(plan, keyring), plan.run)
        self._exchange = Exchange(host, self.clock, network, self._take, self._renewed)
        self._sockets: SocketFolder | None = None
        self._crew: Crew | None = None
        self._trunk: Trunk | None = None
        self._unheard = False
        self._asked = False
        self._leaving = False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> int:
        """Take part until the end; return the exit code. Nothing is left on any way out."""
        try:
            await self._exchange.start()
            self.tell(f"host {self.host} calls home {self.plan.home}, {self._address}")
            self._hello()
            looking = self._beside(self._look())
            code = await self.code
            looking.cancel()
            return code
        finally:
            await self._end_all()
            await self._exchange.close(0.5)
            if self._sockets is not None:
                self._sockets.remove()

    @property
    def _address(self) -> str:
        return self.plan.hosts[self.plan.home]

    def _beside(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._leaving:
            self._finish(LEFT)
        elif error is not None:
            self.leave(f"its agent failed: {type(error).__name__}: {error}")

    def _hello(self) -> None:
        self._exchange.send(self.plan.home, "", "hello", hello(self.plan))

    def _renewed(self, name: str) -> None:
        if name == self.plan.home and self._trunk is None:
            self._hello()
        elif name == self.plan.home and self._trunk is not None:
            self._trunk.again()

    def _take(self, packet: Packet) -> None:
        if packet.host != self.plan.home or packet.to != self._exchange.session:
            return
        if packet.word == "refused":
            for sentence in packet.body:
                self.tell(f"home {self.plan.home} refuses this host: {sentence}")
            self._finish(REFUSED)
        elif packet.word == "stranger":
            self.tell(f"home {self.plan.home} does not know this agent any more, so it ends")
            self._finish(LEFT)
        elif packet.word == "line":
            self._hear(packet)

    def _hear(self, packet: Packet) -> None:
        if self._trunk is None:
            self._trunk = Trunk(self._exchange, packet.host, packet.session)
        if packet.session != self._trunk.session:
            self.tell(f"home {self.plan.home} was started anew, so this agent ends")
            self._finish(LEFT)
            return
        try:
            for word, *details in self._trunk.take(packet):
                self._obey(word, *details)
        except Exception as error:  # as a disk on which no directory can be made
            self.leave(f"its agent failed: {type(error).__name__}: {error}")

    def _obey(self, word: str, *details: Any) -> None:
        """Do what home says: what is not for this agent itself is for its crew."""
        own: dict[str, Callable[..., None]] = {"welcome": self._welcome, "bye": self._bye}
        if word in own:
            own[word](*details)
        elif self._crew is not None:
            getattr(self._crew, word)(*details)

    def _finish(self, code: int) -> None:
        if not self.code.done():
            self.code.set_result(code)

    def _put(self, *message: Any) -> None:
        if self._trunk is not None:
            self._trunk.put(*message)

    def _welcome(self, run: str, name: str, rounds: Mapping[str, int] | None) -> None:
        """Make this host's share of the run's directory, and what makes its processes.

        `rounds` is None when the run has begun already.
        """
        plan, host = self.plan, self.host
        folder = self.folder = RunFolder((self.path or Path("runs") / name).absolute())
        folder.logs.mkdir(parents=True, exist_ok=True)
        mine = [spec.name for spec in plan if spec.host == host]
        checkpoints = Checkpoints(folder.checkpoints)
        if rounds is not None and (
            wrong := prepared(checkpoints, folder.states, mine, rounds, host)
        ):
            self.leave("; ".join(wrong))
            return
        sockets = self._sockets = SocketFolder()
        near = sockets.addresses(plan.processes(host))
        addresses = Addresses(near, processes(plan), hosts_by_process(plan), self.keyring)
        make = children(plan, folder, addresses, run, host)
        self._crew = Crew(make, self._put, self._beside)
        self._beat()  # by which home knows that it is heard
        self.tell(f"host {host} takes part in {name}; its share is in {folder.path}")

    def _bye(self, code: int) -> None:
        """Hear that the run has ended: send home what the actors have left, then end too."""
        self._beside(self._dismissed(code))

    async def _dismissed(self, code: int) -> None:
        await self._end_all()
        if self._trunk is not None and self.folder is not None:
            for message in pieces(self.plan, self.host, self.folder):
                self._put(*message)
                if not await self._until_pending(UNSENT):
                    self.tell(f"home {self.plan.home} is silent: the rest of what is here stays")
                    self._finish(code)
                    return
            self._put("done")
            await self._until_pending(0)
        self.tell("the run has ended")
        self._finish(code)

    async def _until_pending(self, most: int) -> bool:
        """Wait until at most so many messages are under way home; tell if it came to that."""
        times = self.plan.run
        while self._trunk is not None and self._trunk.line.pending > most:
            if self.clock.now() - self._trunk.line.heard > times.unreachable:
                return False
            await asyncio.sleep(0.005)
        return True

    async def _end_all(self) -> None:
        """Make an end of all processes here."""
        if self._crew is not None:
            await self._crew.end_all()

    async def _look(self) -> None:
        """Give signs of life; end before home, which has heard none, takes this host for dead."""
        times = self.plan.run
        while True:
            await asyncio.sleep(times.beat)
            trunk = self._trunk
            if trunk is None:
                continue
            self._beat()
            silent = self.clock.now() - trunk.line.confirmed
            if silent > times.lost:
                self.tell(
                    f"nothing was heard of home {self.plan.home} for {silent:.3g} s: all ends"
                )
                self._finish(LEFT)
                return
            self._tell_of_home(self.clock.now() - trunk.line.heard)

    def _beat(self) -> None:
        if self._trunk is not None:
            self._trunk.beat("beats", self._crew.beats() if self._crew is not None else [])

    def _tell_of_home(self, silent: float) -> None:
        """Have the processes here know whether home's are reachable."""
        unheard = silent > self.plan.run.unreachable
        if unheard == self._unheard:
            return
        self._unheard = unheard
        what = "unreachable" if unheard else "reachable"
        why = f"nothing was heard of host {self.plan.home} for {silent:.3g} s"
        changes = [
            {"what": what, "actor": spec.name, "why": why}
            for spec in self.plan
            if spec.host == self.plan.home
        ]
        for member in self._crew.members if self._crew is not None else ():
            member.order("changed", changes)

    def signalled(self, number: int) -> None:
        """Leave when home does not end the run by itself: a signal often goes to all hosts."""
        why = f"its agent was ended by {signal.Signals(number).name}"
        if self._asked or self._trunk is None:
            self.leave(why)
            return
        self._asked = True
        times = self.plan.run
        self.tell(f"this host leaves the run in {times.graceful:g} s; once more, and it does now")
        asyncio.get_running_loop().call_later(times.graceful, self.leave, why)

    def leave(self, why: str) -> None:
        """End this host's part in the run, and tell home why."""
        if not self.code.done() and not self._leaving:
            self._leaving = True
            self._beside(self._leave(why))

    async def _leave(self, why: str) -> None:
        await self._end_all()
        self.tell(f"host {self.host} leaves the run: {why}")
        self._put("left", why)
        await self._until_pending(0)
        self._finish(LEFT)
