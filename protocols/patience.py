"""Asking all of a group at once, and going on without those who take too long to answer."""

from __future__ import annotations

from asyncio import FIRST_COMPLETED, FIRST_EXCEPTION, Task, create_task, gather, wait
from collections.abc import Awaitable, Callable, Iterable
from math import inf
from typing import Any, TypeVar

from tether.actors import ActorGone

A = TypeVar("A")
T = TypeVar("T")


def bounded(patience: float) -> float:
    """Return a patience in seconds; raises ValueError unless it is above 0 and finite."""
    if not 0 < patience < inf:
        raise ValueError(f"patience is {patience}, but a finite time above 0 s is wanted")
    return patience


class Patience:
    """Asks groups, in the block of an `async with`, and waits no longer than so many seconds.

    Who has not answered by then is away, and is asked nothing more until that answer has come; it
    is in `late` when it has. The end of the block forgets those who are still away.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = bounded(seconds)
        self.late: list[Any] = []
        """What those who were away have answered, from one `ask` to the next."""
        self.lates = 0
        """How many answers came late until now."""
        self._away: dict[Any, Task[Any]] = {}

    async def __aenter__(self) -> Patience:
        return self

    async def __aexit__(self, *failure: Any) -> None:
        tasks = [*self._away.values()]
        self._away.clear()
        for task in tasks:
            task.cancel()
        await gather(*tasks, return_exceptions=True)

    @property
    def away(self) -> list[Any]:
        """Who has not answered yet."""
        return [*self._away]

    @property
    def told(self) -> dict[str, float]:
        """What is reported: who is missing, and how many answers came late."""
        return {"missing": len(self._away), "late": self.lates}

    async def ask(self, members: Iterable[T], question: Callable[[T], Awaitable[A]]) -> list[A]:
        """Ask all who are not away, each a thing of its own; answers in time come in order.

        One answer is waited for as long as it takes. Those who die meanwhile are gone on without;
        ActorGone is raised if all have. Who is dead already is away until it is back. A failure
        ends the rest and is raised as itself; several come as an ExceptionGroup.
        """
        self.late = []
        members = list(members)
        asked: dict[T, Task[Any]] = {}
        while members and not asked:
            self._collect()
            asked = {m: create_task(_asked(question, m)) for m in members if m not in self._away}
            self._away |= asked
            await wait(
                asked.values() or self._away.values(),
                timeout=self.seconds if asked else None,
                return_when=FIRST_EXCEPTION if asked else FIRST_COMPLETED,
            )
        while asked and not any(task.done() for task in self._away.values()):
            await wait(self._away.values(), return_when=FIRST_COMPLETED)
        return await self._sorted(asked)

    async def rest(self) -> list[Any]:
        """Wait as long for those who are away; return what they have answered."""
        self.late = []
        if self._away:
            await wait(self._away.values(), timeout=self.seconds)
        self._collect()
        return self.late

    async def _sorted(self, asked: dict[T, Task[Any]]) -> list[Any]:
        """Return the answers of those asked just now, and put those of others into `late`."""
        mine = {m: task for m, task in asked.items() if task.done()}
        for m in mine:
            self._away.pop(m)
        self._collect()
        answers = self._answers(mine.values())
        deaths = [answer for answer in answers if isinstance(answer, ActorGone)]
        if deaths and len(deaths) == len(answers) and not self.late:
            raise deaths[0]
        return [answer for answer in answers if not isinstance(answer, ActorGone)]

    def _collect(self) -> None:
        """Have those no longer away who have answered."""
        done = {m: task for m, task in self._away.items() if task.done()}
        for m in done:
            self._away.pop(m)
        came = [a for a in self._answers(done.values()) if not isinstance(a, ActorGone)]
        self.late += came
        self.lates += len(came)

    def _answers(self, done: Iterable[Task[Any]]) -> list[Any]:
        failures = [failure for task in done if (failure := task.exception()) is not None]
        if len(failures) > 1:
            raise BaseExceptionGroup("several of those asked failed", failures)
        if failures:
            raise failures[0]
        return [task.result() for task in done]


async def _asked(question: Callable[[T], Awaitable[A]], member: T) -> A | ActorGone:
    try:
        return await question(member)
    except ActorGone as death:
        return death
