"""Communication beside work: every how many steps, at the same time, and what is waited for."""

from __future__ import annotations

from asyncio import TaskGroup, get_running_loop
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


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


def period(tau: int, name: str = "tau") -> int:
    """Return τ; raises ValueError unless it is 1 step or more."""
    if tau < 1:
        raise ValueError(f"{name} is {tau}, but a period of 1 step or more is wanted")
    return tau


class Waiting:
    """Adds up, in `seconds`, the time in which an actor had nothing to do but wait for others."""

    def __init__(self) -> None:
        self.seconds = 0.0

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
