"""The life of a run: its processes are started, watched, drained and ended, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tether.runners.members import Member
from tether.runners.spec import Plan

Outcome = Literal["finished", "stopped", "interrupted", "failed"]


class Audience(Protocol):
    """Who follows a run."""

    def started(self, actor: str, pid: int) -> None:
        """See an actor made."""
        ...

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        """See a report."""
        ...

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002 - the unit
        """See what an actor has sent so far."""
        ...

    def ended(self, actor: str) -> None:
        """See an actor's `run()` end."""
        ...


@dataclass(slots=True)
class Result:
    """How a run ended: the outcome, its reason, and every actor's record."""

    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What went wrong at the end, as states that could not be saved."""


class Conductor:
    """Conducts one run. `stop` and `interrupt` may be called at any time, from a signal too."""

    def __init__(self, plan: Plan, members: Sequence[Member], audience: Audience) -> None:
        self.plan = plan
        self.members = list(members)
        self.audience = audience
        self.result = Result("finished")
        self._over = asyncio.Event()
        self._changed = asyncio.Event()
        self._said: dict[str, set[str]] = {}
        self._quiet: dict[str, bool] = {}
        self._awaited = ""
        self._ending = False
        self._dead: dict[str, str] = {}
        self._lives: set[str] = set()
        self._began: float | None = None
        self._loop = asyncio.get_running_loop()
        self._services = {spec.name for spec in plan if spec.restart == "permanent"}

    def stop(self) -> None:
        """End the run in good order."""
        self._end("stopped", "")

    def stop_if_alive(self) -> None:
        """End the run in good order, unless all its lives have ended by themselves."""
        if self._lives - self._services:
            self.stop()

    def interrupt(self) -> None:
        """End the run in good order, because somebody pressed Ctrl-C."""
        self._end("interrupted", "")

    def kill(self) -> None:
        """End every process at once."""
        self._ending = True
        for member in self.members:
            member.kill()

    def _fail(self, reason: str) -> None:
        if not self._over.is_set():
            self._end("failed", reason)
        elif reason not in [self.result.reason, *self.result.problems]:
            self.result.problems.append(reason)
            if self.result.outcome == "stopped":
                self.result.outcome = "failed"

    def _end(self, outcome: Outcome, reason: str) -> None:
        if not self._over.is_set():
            self.result.outcome, self.result.reason = outcome, reason
            self._over.set()
            self._changed.set()

    async def start(self) -> bool:
        """Start every process, then every `run()`; tell whether that came about."""
        starting = [asyncio.ensure_future(member.start(self.hear)) for member in self.members]
        try:
            await asyncio.gather(*starting)
        except BaseException:
            for task in starting:
                task.cancel()
            await asyncio.wait(starting)
            raise
        await self._until(lambda: self._all_said("ready"))
        if self._over.is_set():
            return False
        self._began = self._loop.time()
        for member in self.members:
            member.order("go")
        await self._until(lambda: self._all_said("lives"))
        return True

    async def finish(self, duration: float | None = None) -> Result:
        """Wait until all lives have ended, or for `duration` seconds; then end all in order."""
        handle = None
        if duration is not None:
            handle = self._loop.call_later(duration, self.stop)
        try:
            await self.wait()
        finally:
            if handle is not None:
                handle.cancel()
        return await self.close()

    async def wait(self) -> None:
        """Wait until every life that is no service's has ended, or the run is over otherwise."""
        await self._until(lambda: not self._lives - self._services)

    async def close(self) -> Result:
        """End all processes: in order if they let us, and within seconds if they do not."""
        begun = self._loop.time()
        if self._began is not None:
            self.result.seconds = begun - self._began
            await self._in_time(self.plan.run.drain, self._drain())
        self._order_living("close")
        if self._began is not None:
            left = self.plan.run.graceful - (self._loop.time() - begun)
            await self._in_time(left, self._said_by_living("closed"))
        self._ending = True
        await asyncio.gather(*(member.end(self._patience(member)) for member in self.members))
        return self.result

    def _patience(self, member: Member) -> float:
        """Return how long a process may take to exit: none, unless it has closed."""
        return 0.5 if member.name in self._said.get("closed", ()) else 0.0

    async def _drain(self) -> None:
        """Let mailboxes empty; end lives, the workers' before the services'."""
        if self._over.is_set():
            await self._stop_lives(services_only=False)
        await self._until_quiet()
        await self._stop_lives(services_only=True)
        await self._until_quiet()

    async def _stop_lives(self, *, services_only: bool) -> None:
        self._said["stopped_life"] = set()
        self._order_living("stop_life", services_only)
        await self._said_by_living("stopped_life")

    async def _until_quiet(self) -> None:
        """Wait until every process says twice in a row that nothing is under way."""
        rounds = 0
        while rounds < 2:
            self._said["quiet"] = set()
            self._order_living("quiet")
            await self._said_by_living("quiet")
            rounds = rounds + 1 if all(self._quiet[name] for name in self._living()) else 0
            await asyncio.sleep(0.01)

    async def _said_by_living(self, word: str) -> None:
        self._awaited = word
        while not self._living() <= self._said.setdefault(word, set()):
            self._changed.clear()
            await self._changed.wait()

    def _order_living(self, word: str, *details: Any) -> None:
        for member in self.members:
            if member.name in self._living():
                member.order(word, *details)

    def _living(self) -> set[str]:
        return {member.name for member in self.members} - self._dead.keys()

    async def _until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true, or the run is over for another reason."""
        while not true() and not self._over.is_set():
            self._changed.clear()
            await self._changed.wait()

    def _all_said(self, word: str) -> bool:
        return len(self._said.get(word, ())) == len(self.members)

    async def _in_time(self, seconds: float, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(seconds):
                await work
        except TimeoutError:
            late = ", ".join(sorted(self._late())) or "the run"
            self.result.problems.append(f"{late} did not {self._what_was_due()} in {seconds:.3g} s")

    def _late(self) -> set[str]:
        """Return the actors whose processes have not yet done what all are waited for."""
        done = self._said.get(self._awaited, set())
        if self._awaited == "quiet":
            done = {name for name in done if self._quiet[name]}
        late = self._living() - done
        return {actor for member in self.members if member.name in late for actor in member.actors}

    def _what_was_due(self) -> str:
        dues = {"stopped_life": "stop", "quiet": "finish what was under way"}
        return dues.get(self._awaited, "close")

    def hear(self, member: Member, word: str, *details: Any) -> None:
        """Take what a process says."""
        self._said.setdefault(word, set()).add(member.name)
        try:
            getattr(self, f"_hear_{word}")(member, *details)
        except Exception as error:  # as a full disk, or a metric that has no legal name
            self._fail(
                f"what {member.name} said could not be kept: {type(error).__name__}: {error}"
            )
        self._changed.set()

    def _hear_ready(self, member: Member, pid: int) -> None:
        for actor in member.actors:
            self.audience.started(actor, pid)

    def _hear_unbuilt(self, member: Member, why: str, _trace: str) -> None:
        self._fail(f"{' and '.join(member.actors)} could not be made: {why}")

    def _hear_lives(self, member: Member, without: list[str]) -> None:
        self._lives.update(set(member.actors) - set(without))

    def _hear_news(
        self, _member: Member, reports: list[list[Any]], sent: dict[str, list[int]]
    ) -> None:
        for t, actor, step, metrics in reports:
            self.audience.reported(actor, t, step, metrics)
        for actor, (messages, size) in sent.items():
            self.audience.traffic(actor, messages, size)

    def _hear_ended(self, _member: Member, actor: str, why: str, _trace: str) -> None:
        self._lives.discard(actor)
        self.audience.ended(actor)
        if why:
            self._fail(f"{actor} failed: {why}")

    def _hear_stopped_life(self, member: Member) -> None:
        """Hear that lives have ended; `hear` has noted it."""

    def _hear_quiet(self, member: Member, quiet: bool) -> None:
        self._quiet[member.name] = quiet

    def _hear_unsaved(self, _member: Member, actor: str, why: str) -> None:
        self._fail(f"the state of {actor} could not be saved: {why}")

    def _hear_closed(self, _member: Member, records: dict[str, dict[str, Any]]) -> None:
        self.result.records.update(records)

    def _hear_died(self, member: Member, why: str) -> None:
        """A process has ended: a death, unless it had said that it closed."""
        self._dead[member.name] = why
        if self._ending or member.name in self._said.get("closed", ()):
            return
        for actor in member.actors:
            self._lives.discard(actor)
            self.audience.ended(actor)
        for name in self._living():
            self._tell_gone(name, member.actors, why)
        self._fail(f"{' and '.join(member.actors)} died: {why}")

    def _tell_gone(self, name: str, actors: list[str], why: str) -> None:
        for member in self.members:
            if member.name == name:
                member.order("gone", actors, why)
