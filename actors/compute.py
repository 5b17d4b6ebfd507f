"""Heavy work off the event loop: one dedicated thread an actor, so that its messages never wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from tether.actors.context import acting

P = ParamSpec("P")
R = TypeVar("R")


async def off_loop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function in the acting actor's own thread; outside an actor, in the loop's.

    If the await is cancelled the function still runs to its end, as threads do; the actor's next
    work queues behind it.
    """
    here = acting.get()
    executor = here.cell.executor() if here is not None else None
    loop = asyncio.get_running_loop()
    context = copy_context()  # so that what is reported or printed there is the actor's too
    return await loop.run_in_executor(executor, lambda: context.run(function, *args, **kwargs))
