"""The life of a run: its processes are started, watched, drained and ended, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from tether.actors.clock import Clock, SystemClock
from tether.runners.audience import Audience
from tether.runners.closing import Closing
from tether.runners.hearing import Hearing
from tether.runners.members import Member
from tether.runners.process import Restore
from tether.runners.resizing import Resizing
from tether.runners.result import Outcome, Result, Start
from tether.runners.revival import Revival
from tether.runners.roster import Roster, names_of
from tether.runners.rounds import Rounds
from tether.runners.spec import Plan
from tether.runners.watch import Watch


class Conductor:
    """Conducts one run. `stop` and `interrupt` may be called at any time, from a signal too."""

    def __init__(
        self,
        plan: Plan,
        make: Callable[[str], Member],
        audience: Audience,
        *,
        outside: Member | None = None,
        start: Start | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.plan = plan
        self.make = make
        self.audience = audience
        self.outside = outside
        self.begin = start or Start()
        self.clock = clock or SystemClock(plan.run.seed)
        self.result = Result("finished")
        self.roster = Roster(plan, self.clock.random("restarts"), self.begin.incarnations)
        self.over = asyncio.Event()
        self.began: float | None = None
        self.ending = False
        self.killed = False
        self.said: dict[str, set[str]] = {}
        self.quiet: dict[str, bool] = {}
        self.leftovers: list[Member] = []
        self.hearing = Hearing(self)
        self.revival = Revival(self)
        self.rounds = Rounds(self, self.begin.round)
        self.watch = Watch(self)
        self.resizing = Resizing(self)
        self.closing = Closing(self)
        self.loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asides: set[asyncio.Task[None]] = set()

    @property
    def t(self) -> float:
        """Seconds since the start of the run, or of the one it goes on from."""
        return self.begin.seconds + (self.clock.now() - self.began if self.began else 0.0)

    def t_of(self, now: float) -> float:
        """Return a moment of the clock in such seconds."""
        return self.begin.seconds + now - (self.began or now)

    def stop(self) -> None:
        """End the run in good order."""
        self._end("stopped", "")

    def stop_if_alive(self) -> None:
        """End the run in good order, unless all its lives have ended by themselves."""
        if self.roster.goes_on():
            self.stop()

    def interrupt(self) -> None:
        """End the run in good order, because somebody pressed Ctrl-C."""
        self._end("interrupted", "")

    def kill(self) -> None:
        """End every process at once."""
        self.ending = self.killed = True
        for member in self.roster.living():
            member.kill()

    def fail(self, reason: str) -> None:
        """End the run because of something that cannot be mended."""
        self.note(reason)
        self._end(self.result.outcome, self.result.reason)

    def note(self, reason: str) -> None:
        """Have the run end as failed, when it ends."""
        if self.result.outcome == "finished":
            self.result.outcome, self.result.reason = "failed", reason
        elif reason not in [self.result.reason, *self.result.problems]:
            self.result.problems.append(reason)
            if self.result.outcome == "stopped":
                self.result.outcome = "failed"

    def _end(self, outcome: Outcome, reason: str) -> None:
        if self.over.is_set():
            return
        if self.result.outcome == "finished" or outcome == "interrupted":
            self.result.outcome = outcome
            self.result.reason = self.result.reason or reason
        self.over.set()
        self.changed()

    def changed(self) -> None:
        """Have all who wait for something look again."""
        self._changed.set()

    async def until(self, true: Callable[[], bool], *, or_over: bool = True) -> None:
        """Wait until something is true, or the run is over for another reason."""
        while not true() and not (or_over and self.over.is_set()):
            self._changed.clear()
            await self._changed.wait()

    def task(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Have something done beside all else, until the run ends."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fail(f"the run could not be conducted: {type(error).__name__}: {error}")

    def aside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have something done that the end of the run waits for."""
        task = asyncio.ensure_future(work)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)
        return task

    async def start(self) -> bool:
        """Start every process, then every `run()`; tell whether that came about."""
        plan = self.plan.starting()
        for spec in plan:
            entry = self.roster.entries[spec.name]
            entry.state, entry.present = "starting", True
        processes = self._processes(plan)
        starting = [asyncio.ensure_future(self.launch_first(name)) for name in processes]
        try:
            await asyncio.gather(*starting)
        except BaseException:
            for task in starting:
                task.cancel()
            await asyncio.wait(starting)
            raise
        await self.until(lambda: self.said.get("ready", set()) >= set(processes))
        if self.over.is_set():
            return False
        self.began = self.clock.now()
        for member in self.roster.living():
            self.go(member, names_of(self.roster.here(member.name)))
        await self.until(lambda: self.all_said("lives"))
        self.roster.remember(self.roster.incarnations())
        self.task(self.watch.run())
        if self.plan.run.checkpoint:
            self.task(self.rounds.run())
        return True

    def _processes(self, plan: Plan) -> list[str]:
        outside = [self.outside.name] if self.outside is not None else []
        everywhere = (name for host in plan.hosts or [""] for name in plan.processes(host))
        return list(dict.fromkeys([*outside, *everywhere]))

    async def launch_first(self, process: str, delay: float = 0.0) -> None:
        """Start a process for the first time, or again if it died before it was ready."""
        await asyncio.sleep(delay)
        names = names_of(self.roster.here(process))
        restore = {name: self.begin.restore[name] for name in names if name in self.begin.restore}
        fresh = [name for name in names if self.begin.restore and name not in restore]
        await self.launch(process, names, restore, [*self.begin.alone, *fresh])

    async def launch(
        self, process: str, names: Sequence[str], restore: Restore, alone: Iterable[str]
    ) -> Member:
        """Start a process with these actors; it will say how that went."""
        outside = self.outside is not None and process == self.outside.name
        member = self.outside if outside and self.outside else self.make(process)
        self.roster.members[process] = member
        for said in self.said.values():
            said.discard(process)
        order = {
            **self.roster.snapshot(),
            "start": self.roster.start_process(process),
            "names": list(names),
            "restore": {name: rounds and list(rounds) for name, rounds in restore.items()},
            "alone": list(alone),
        }
        await member.start(self.hear, order)
        return member

    def go(self, member: Member, names: Sequence[str]) -> None:
        """Start the lives of actors that are made."""
        for name in names:
            entry = self.roster.entries[name]
            entry.state = "up"
            entry.lives = True
        member.order("go", list(names))

    async def finish(self, duration: float | None = None) -> Result:
        """Wait until all lives have ended, or for `duration` seconds; then end all in order."""
        handle = None
        if duration is not None:
            handle = self.loop.call_later(duration, self.stop)
        try:
            await self.wait()
        finally:
            if handle is not None:
                handle.cancel()
        return await self.close()

    async def wait(self) -> None:
        """Wait until every life that is no service's has ended, or the run is over otherwise."""
        await self.until(lambda: not self.roster.goes_on())

    async def close(self) -> Result:
        """End all processes: in order if they let us, and within seconds if they do not."""
        for task in list(self._tasks):
            task.cancel()
        await self.closing.end()
        await asyncio.gather(*self._asides)
        return self.result

    def all_said(self, word: str) -> bool:
        """Whether all processes that are alive have said a word."""
        said = self.said.get(word, set())
        return all(member.name in said for member in self.roster.living())

    def hear(self, member: Member, word: str, *details: Any) -> None:
        """Take what a process says."""
        self.said.setdefault(word, set()).add(member.name)
        try:
            self.hearing.take(member, word, *details)
        except Exception as error:  # as a full disk, or a metric that has no legal name
            self.fail(f"what {member.name} said could not be kept: {type(error).__name__}: {error}")
        self.changed()
