"""Whoever is killed in an exchange leaves nothing behind: no slot, no file, no memory."""

from __future__ import annotations

import operator
import os
import signal
from functools import partial
from typing import Any

import pytest

from tests.chaos.lending import NUMBERS, Center, Worker
from tests.conformance.gates import eventually
from tether.actors.memory import rounded
from tether.runners.world import World

AGAIN = {"restart": "permanent", "max_restarts": 100}
TABLES: dict[str, dict[str, Any]] = {
    "run": {"beat": 0.1, "unreachable": 1},
    "center": {"actor": Center, **AGAIN},
    "worker": {"actor": Worker, "center": "@center", **AGAIN},
}
KILLS = 8
FEW = 6
"""Less than every death would leave behind, more than moments make a difference."""
SEGMENT = rounded(4 * NUMBERS)


async def more_exchanges(center: Any, many: int = 20) -> None:
    """Wait until so many exchanges more are made by who is there now."""
    before, _ = await center.counts()
    await eventually(center.counts, lambda counts: counts[0] >= before + many)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("victim", ["center", "worker"])
async def test_who_is_killed_in_an_exchange_leaves_nothing_with_the_other(victim: str) -> None:
    async with World(TABLES, "processes") as world:
        center, worker = world.ref(Center, "center"), world.ref(Worker, "worker")
        dying, living = (center, worker) if victim == "center" else (worker, center)
        await more_exchanges(center)
        before = await living.holds()
        for _ in range(KILLS):
            pid = await dying.pid()
            os.kill(pid, signal.SIGKILL)
            await eventually(dying.pid, partial(operator.ne, pid))
            await more_exchanges(center)

        after = await living.holds()

        assert after.used <= 2, "more is in use than a vector on its way and the one before"
        assert after.read <= 1, "more is read than the vector that is exchanged now"
        assert after.files <= before.files + FEW
        assert after.shared <= before.shared + FEW * SEGMENT
        assert [(await each.counts())[1] for each in (center, worker)] == [0, 0]
