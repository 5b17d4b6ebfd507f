"""Two waits at once."""

from __future__ import annotations

from asyncio import TaskGroup
from collections.abc import Coroutine
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
