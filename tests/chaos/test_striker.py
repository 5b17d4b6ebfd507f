"""Hundreds are killed in the middle of an exchange, and who lives is none the worse for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.lending import NUMBERS, Center, Holding, Sender, holding
from tests.chaos.striker import Striker
from tests.conformance.gates import eventually
from tether.actors.errors import ActorGone
from tether.actors.memory import rounded
from tether.runners.world import World

pytestmark = pytest.mark.soak
KILLS = 204
MORTALS = 12
"""Who die in turn: each lives for long enough to come back at once."""
EXCHANGES = 6
"""For each kill, which comes in one of the first half."""
LEFT = 40
"""Less than every death would leave behind, more than moments make a difference to so many."""
SEGMENT = rounded(4 * NUMBERS)
AGAIN = {"restart": "permanent", "max_restarts": 10_000}
ROW = "{:>8} {:>8} {:>7} {:>9} {:>11} {:>12} {:>8} {:>10} {:>11}"
COLUMNS = (
    "killed", "of whom", "when", "segments", "slots read", "descriptors", "threads", "shared MB",
    "private MB",
)  # fmt: skip


class Deaths:
    """A run in which senders or receivers are killed, one after the other."""

    def __init__(self, world: World, victim: str, striker: Striker) -> None:
        self.striker = striker
        self.victim = victim
        counts = {"center": 1, "sender": 1, victim: MORTALS}
        self.centers = [world.ref(Center, f"center/{k}") for k in range(counts["center"])]
        self.senders = [world.ref(Sender, f"sender/{k}") for k in range(counts["sender"])]
        self.exchanges = 0
        self.dead: set[int] = set()

    @property
    def mortals(self) -> list[Any]:
        return list(self.centers if self.victim == "center" else self.senders)

    @property
    def survivor(self) -> Any:
        return self.senders[0] if self.victim == "center" else self.centers[0]

    def sender(self, turn: int) -> Any:
        """Return who exchanges with, or is, the victim of this turn."""
        return self.senders[turn % len(self.senders)]

    async def go(self, turn: int) -> None:
        """Have a few exchanges made with the one whose turn it is, or by it."""
        with suppress(ActorGone):  # it was the sender that died
            await self.sender(turn).go(turn % len(self.centers), EXCHANGES)
        self.exchanges += EXCHANGES

    async def back(self, turn: int) -> int:
        """Wait until the one whose turn it is has come back; return its process."""
        mortal = self.mortals[turn % MORTALS]
        asked = partial(self.asked, mortal)
        return await eventually(asked, lambda pid: pid and pid not in self.dead)

    async def asked(self, mortal: Any) -> int:
        """Return the process of an actor, 0 of one that is dying."""
        try:
            return int(await mortal.pid())
        except ActorGone:
            return 0

    async def kill(self, turn: int) -> None:
        """Kill one in the middle of an exchange."""
        pid = await self.back(turn)
        await self.go(turn)
        pace = await self.sender(turn).pace()
        self.striker.deafen()
        struck = asyncio.to_thread(self.striker.strike, pid, pace, EXCHANGES // 2)
        await asyncio.gather(struck, self.go(turn))
        self.dead.add(pid)

    async def holdings(self) -> dict[str, Holding]:
        """Return what the survivor and the agent hold when all are there and have exchanged."""
        for turn in range(MORTALS):
            await self.back(turn)
            await self.go(turn)
        return {"agent": holding(), "survivor": await self.survivor.holds()}


@pytest.fixture
def striker(tmp_path: Path) -> Iterator[Striker]:
    made = Striker(tmp_path / "bell", seed=2026)
    yield made
    made.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("victim", ["sender", "center"])
async def test_hundreds_that_are_killed_in_an_exchange_leave_nothing_behind(
    victim: str, striker: Striker, tmp_path: Path
) -> None:
    tables: dict[str, dict[str, Any]] = {
        "run": {"beat": 0.1, "unreachable": 1},
        "center": {"actor": Center, **AGAIN},
        "sender": {
            "actor": Sender, "centers": "@center[*]", "bell": str(tmp_path / "bell"), **AGAIN,
        },
    }  # fmt: skip
    tables[victim]["count"] = MORTALS
    async with World(tables, "processes") as world:
        deaths = Deaths(world, victim, striker)
        before = await deaths.holdings()

        for turn in range(KILLS):
            await deaths.kill(turn)
        after = await deaths.holdings()

        _, torn = await deaths.survivor.counts()
    show(deaths, before, after)
    assert len(striker.moments) == KILLS
    assert torn == 0
    for who in before:
        assert_nothing_left(before[who], after[who])


def show(deaths: Deaths, before: dict[str, Holding], after: dict[str, Holding]) -> None:
    """Print what was done, and what each holds before it and after it."""
    kills = len(deaths.striker.moments)
    print(f"\n{kills} kills of a {deaths.victim} in {deaths.exchanges} exchanges of 4 MB each way")
    print("in each tenth of an exchange:", *deaths.striker.tenths())
    print(ROW.format(*COLUMNS))
    for who, early in before.items():
        for when, held in (("before", early), ("after", after[who])):
            shared, private = f"{held.shared / 1e6:.1f}", f"{held.private / 1e6:.1f}"
            counts = held.segments, held.read, held.files, held.threads, shared, private
            print(ROW.format(deaths.victim, who, when, *counts))


def assert_nothing_left(before: Holding, after: Holding) -> None:
    """Check that nothing has grown by as much as one for each death would make."""
    assert after.segments <= before.segments + LEFT
    assert after.read <= MORTALS, "more is read than the vector each got last"
    assert after.files <= before.files + LEFT
    assert after.threads <= before.threads + 2
    assert after.shared <= before.shared + LEFT * SEGMENT
    assert after.private <= before.private + LEFT * SEGMENT
