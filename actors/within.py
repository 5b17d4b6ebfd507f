"""A time limit that travels with the asks made inside it."""

from __future__ import annotations

import asyncio
import math
from contextvars import Token
from types import TracebackType

from tether.actors.context import deadline, ending


class within:  # noqa: N801 - read as a word: `async with within(5):`
    """Give the block `seconds`; asks made inside, and theirs in turn, inherit what remains.

    TimeoutError is raised when the time is over, as `asyncio.timeout` does. Of two that are nested
    the earlier end holds.
    """

    __slots__ = ("_seconds", "_timeout", "_token")

    def __init__(self, seconds: float) -> None:
        if not 0 <= seconds < math.inf:
            raise ValueError(f"within: {seconds!r} seconds, but a time of 0 or more is wanted")
        self._seconds = seconds

    async def __aenter__(self) -> None:
        end = ending(asyncio.get_running_loop().time(), self._seconds)
        outer = deadline.get()
        end = end if outer is None else min(end, outer)
        self._token: Token[float | None] = deadline.set(end)
        self._timeout = asyncio.timeout_at(end)
        await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        deadline.reset(self._token)
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            if error is None or not error.args:
                raise
            raise TimeoutError(*error.args) from error  # what was waited for when it ended
