"""Heavy work off the event loop: one dedicated thread an actor, so that its messages never wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, ParamSpec, TypeVar

from tether.actors.context import acting

P = ParamSpec("P")
R = TypeVar("R")


class Job(Generic[P, R]):
    """A function under a name: what an executor is given, so that it knows what it runs."""

    __slots__ = ("function", "name")

    def __init__(self, name: str, function: Callable[P, R]) -> None:
        self.name, self.function = name, function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self.function(*args, **kwargs)


async def off_loop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function in the acting actor's own thread; outside an actor, in the loop's.

    The executor gets it as a `Job`, of the name of a `Job` given here or else of the function's. If
    the await is cancelled the function still runs to its end, as threads do; the actor's next work
    queues behind it.
    """
    here = acting.get()
    executor = here.cell.executor() if here is not None else None
    context = copy_context()  # so that what is reported or printed there is the actor's too
    job = Job(title(function), lambda: context.run(function, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(executor, job)


def title(function: Callable[..., object]) -> str:
    """Return the name of a job or a function, and that of its class for what has none."""
    if isinstance(function, Job):
        return str(function.name)
    return str(getattr(function, "__name__", type(function).__name__))
