"""Communication beside work: every how many steps, at the same time, and what is waited for."""

from __future__ import annotations

from asyncio import Task, TaskGroup, get_running_loop
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from tether.actors import ActorGone

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")
P = ParamSpec("P")


async def both(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Await two at once, the first begun first; a failure ends the other and is raised as itself.

    Neither goes on after this has returned; two failures come as an ExceptionGroup.
    """
    try:
        async with TaskGroup() as group:
            tasks = group.create_task(first), group.create_task(second)
    except BaseExceptionGroup as failures:
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0] from None
        raise
    return tasks[0].result(), tasks[1].result()


async def each(members: Iterable[T], ask: Callable[[T], Awaitable[A]]) -> list[A]:
    """Ask all at once, each a thing of its own; answers come in order.

    A failure ends the rest and is raised as itself; several come as an ExceptionGroup.
    """

    async def asked(member: T) -> A:
        return await ask(member)

    try:
        async with TaskGroup() as group:
            tasks = [group.create_task(asked(member)) for member in members]
    except BaseExceptionGroup as failures:
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0] from None
        raise
    return [task.result() for task in tasks]


async def unless_gone(asked: Awaitable[A]) -> A | None:
    """Await it; None where who was asked has died meanwhile, or was given up or has left."""
    with suppress(ActorGone):
        return await asked
    return None


def period(tau: int, name: str = "tau") -> int:
    """Return τ; raises ValueError unless it is 1 step or more."""
    if tau < 1:
        raise ValueError(f"{name} is {tau}, but a period of 1 step or more is wanted")
    return tau


class Posting:
    """Messages that nobody waits for, sent in the block of an `async with`.

    To whoever has not taken in the one before, being full or away, none is sent. The end of the
    block waits until all are handed over.
    """

    def __init__(self) -> None:
        self._group = TaskGroup()
        self._under_way: dict[Any, Task[None]] = {}

    async def __aenter__(self) -> Posting:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *failure: Any) -> None:
        await self._group.__aexit__(*failure)

    def send(
        self,
        to: T,
        message: Callable[Concatenate[T, P], Awaitable[None]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Begin to send `message(to, …)`; who is gone for good is passed over."""

        async def sent() -> None:
            with suppress(ActorGone):
                await getattr(to, message.__name__)(*args, **kwargs)

        before = self._under_way.get(to)
        if before is None or before.done():
            self._under_way[to] = self._group.create_task(sent())


class Waiting:
    """Adds up, in `seconds`, the time in which an actor had nothing to do but wait for others."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._paused: float | None = None

    def pause(self) -> float:
        """Begin to wait, there being nothing to do until `resume`; return `seconds`."""
        self._paused = _now()
        return self.seconds

    def resume(self) -> None:
        """Go on: all time since `pause`, if there was one, was waiting."""
        if self._paused is not None:
            self.seconds += _now() - self._paused
        self._paused = None

    async def on(self, awaited: Awaitable[A]) -> A:
        """Await it; all of that time is waiting."""
        begin = _now()
        try:
            return await awaited
        finally:
            self.seconds += _now() - begin

    async def both(
        self, exchange: Coroutine[Any, Any, A], work: Coroutine[Any, Any, B]
    ) -> tuple[A, B]:
        """Await both at once; waiting is what the exchange takes longer than the work."""
        done = _now()

        async def working() -> B:
            nonlocal done
            result = await work
            done = _now()
            return result

        results = await both(exchange, working())
        self.seconds += _now() - done
        return results


def _now() -> float:
    """Return the loop's time, which is virtual in a simulation."""
    return get_running_loop().time()
