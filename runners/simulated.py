"""A simulated process as its agent sees it: the real share of a run, in a scope of its own."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import copy_context
from typing import Any

from tether.actors.journal import Key, Memory
from tether.runners.distribution import Sampler
from tether.runners.duties import Duties
from tether.runners.members import Hear
from tether.runners.process import Process
from tether.runners.scope import Scope
from tether.runners.virtual import VirtualLoop

KILLED = "its process was killed by SIGKILL"
Make = Callable[[Scope, Mapping[str, Any], Callable[..., None], Memory], Process]
"""Makes a share of a run: for a scope, its order, what takes what it says, and its journal."""


class Vitals:
    """The beats of a simulated process, which are there whenever it runs."""

    stall = ""
    incomplete = False

    def __init__(self, scope: Scope, loop: VirtualLoop) -> None:
        self._scope = scope
        self._loop = loop
        self._begun = loop.time()

    @property
    def process_beat(self) -> float:
        """When it last ran, in seconds; 0 in its first moment."""
        runs = not self._scope.stopped and not self._scope.killed
        return (self._loop.time() if runs else self._scope.since) or self._begun

    loop_beat = process_beat


class Line:
    """One direction of the line between a process and its agent: slow, but in order and sure."""

    def __init__(self, loop: VirtualLoop, draw: Sampler) -> None:
        self._loop = loop
        self._draw = draw
        self._last = 0.0
        self._context = copy_context()

    def say(self, hear: Callable[..., object], *said: Any) -> None:
        """Have a word heard, in the context in which the line was made."""
        self._last = max(self._last, self._loop.time() + self._draw())
        self._loop.call_at(self._last, hear, *said, context=self._context)


class Simulated:
    """One start of one process of a simulated run; a member of it, as `Child` is of a real one."""

    def __init__(
        self, name: str, loop: VirtualLoop, make: Make, start: Sampler, line: Sampler
    ) -> None:
        self.name = name
        self.scope = Scope(name, loop)
        self.box: Vitals | None = None
        self.process: Process | None = None
        self._loop = loop
        self._make = make
        self._start = start
        self._journal = Memory()
        self._to_agent = Line(loop, line)
        self._to_process = self.scope.context.run(Line, loop, line)
        self._orders: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._hear: Hear | None = None
        self.closed = False
        """Whether it has ended in good order."""

    async def start(self, hear: Hear, order: Mapping[str, Any]) -> None:
        """Start it; it says `ready`, or `unbuilt`, when it has made its actors."""
        self._hear = hear
        self.box = Vitals(self.scope, self._loop)
        delay = self._start()
        context = self.scope.context
        self._loop.call_later(delay, self._begin, order, context=context)

    def _begin(self, order: Mapping[str, Any]) -> None:
        task = self._loop.create_task(self._live(order), name=f"{self.name} obeys")
        task.add_done_callback(self._exited)

    async def _live(self, order: Mapping[str, Any]) -> None:
        """Make the actors, then do what the run says until it says close."""
        try:
            process = self.process = self._make(self.scope, order, self._say, self._journal)
            process.enter(order)
            await process.build(order["names"], order["restore"], order["alone"])
        except Exception as error:
            notes = "; ".join(getattr(error, "__notes__", ()))
            why = f"{type(error).__name__}: {error}" + (f" ({notes})" if notes else "")
            self._say("unbuilt", why, "".join(traceback.format_exception(error)))
            return
        self._say("ready", 0)
        duties, word = Duties(process), ""
        while word != "close":
            word, *details = await self._orders.get()
            await duties.obey(word, *details)
        self.closed = True

    def _exited(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            traceback.print_exception(error)
        self._end(f"its process exited with code {int(error is not None)}")

    def _say(self, word: str, *details: Any) -> None:
        if self._hear is not None and not self.scope.killed:
            self._to_agent.say(self._hear, self, word, *details)

    def order(self, word: str, *details: Any) -> None:
        """Tell the process to do something."""
        self._to_process.say(self._orders.put_nowait, (word, *details))

    def rows(self) -> Iterable[tuple[Key, Sequence[int]]]:
        """Return what its journal says."""
        return self._journal.rows()

    def kill(self) -> None:
        """Kill the process: nothing of it runs any more."""
        self._end(KILLED)

    def _end(self, why: str) -> None:
        if self.scope.killed:
            return
        said = self._hear
        self.scope.kill()
        if self.process is not None and self.process.node.transport is not None:
            self.process.node.transport.cut()  # type: ignore[attr-defined]
        if said is not None:
            # As of a real process, whoever waits for its last word acts on that first.
            self._to_agent.say(self._loop.call_soon, said, self, "died", why)
        self._to_agent.say(self._ended.set)

    async def end(self, patience: float) -> None:
        """Wait so long for the process to end, then kill it."""
        if self._hear is None:
            return
        try:
            async with asyncio.timeout(patience):
                await self._ended.wait()
        except TimeoutError:
            self.kill()
            await self._ended.wait()
