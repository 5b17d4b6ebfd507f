"""Over TCP, who takes nothing bounds those who send to it, and them alone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from tests.chaos.slow import Sink, Source
from tether.runners.world import World

pytestmark = pytest.mark.timeout(180)
T = TypeVar("T")
MANY = 120
ROOM = 16
"""Vectors of 4 MB that a window of 64 MiB has room for."""


async def awaited(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Ask until the answer is as wanted."""
    while not wanted(answer := await ask()):  # noqa: ASYNC110 - it is another process that changes
        await asyncio.sleep(0.01)
    return answer


@pytest.mark.parametrize("encryption", ["on", "off"])
async def test_a_stopped_peer_bounds_its_own_sender_only(encryption: str) -> None:
    tables: dict[str, Any] = {
        "run": {"encryption": encryption},
        "slow": {"actor": Sink},
        "other": {"actor": Sink},
        "source": {"actor": Source, "slow": "@slow", "other": "@other"},
    }
    async with World(tables, "processes", by="tcp") as world:
        source, slow = world.ref(Source, "source"), world.ref(Sink, "slow")
        assert await source.exchange(2) == 2
        pid, before = await slow.pid(), await source.resident()

        os.kill(pid, signal.SIGSTOP)
        try:
            await source.flood(MANY)
            await awaited(source.sent, lambda sent: sent == ROOM)
            assert await source.exchange(20) == 20
            held, after = await source.sent(), await source.resident()
        finally:
            os.kill(pid, signal.SIGCONT)

        sums = await awaited(slow.sums, lambda sums: len(sums) >= MANY)
        assert sums == [2.0 * number for number in range(MANY)]
        assert held == ROOM
        assert after - before < MANY // 2 * 4_000_000
