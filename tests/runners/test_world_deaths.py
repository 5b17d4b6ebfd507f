"""Deaths in a local world: who comes back with what, who is given up, and what the others see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tether.actors.errors import ActorGone
from tether.actors.ref import Ref
from tether.actors.report import report
from tether.runners.world import World


class Deed:
    """What the lives of a test are to do, and what they did."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.raises: list[BaseException | None] = []
        self.done = asyncio.Event()
        self.dead: list[str] = []


class Mortal:
    """Counts what it is sent; its life raises what it is to raise, then waits for its end."""

    def __init__(self, deed: Deed) -> None:
        self.deed, self.n, self.lives = deed, 0, 0
        deed.made.append(self)

    async def add(self, k: int) -> int:
        self.n += k
        return self.n

    async def run(self) -> None:
        self.lives += 1
        report(step=self.lives)
        error = self.deed.raises.pop(0) if self.deed.raises else None
        if error is not None:
            raise error
        await self.deed.done.wait()

    def state_dict(self) -> dict[str, int]:
        return {"n": self.n}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.n = state["n"]


class Brief:
    """Has a life that returns."""

    def __init__(self, deed: Deed) -> None:
        deed.made.append(self)

    async def run(self) -> None: ...


class Late:
    """Has a life that fails when it is told to."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed

    async def run(self) -> None:
        await self.deed.done.wait()
        raise ValueError("no data")


class Asker:
    """Asks a mortal until it is answered so often."""

    def __init__(self, mortal: Ref[Mortal], deed: Deed, times: int = 3) -> None:
        self.mortal, self.deed, self.times, self.t = mortal, deed, times, 0

    async def run(self) -> None:
        while self.t < self.times:
            await self.mortal.add(1)
            self.t += 1
        self.deed.done.set()

    async def down(self, peer: Ref[Any], why: Exception) -> None:
        self.deed.dead.append(str(why))


class Griever:
    """Has a life that the death of another ends."""

    def __init__(self, mortal: Ref[Mortal], deed: Deed, grouped: bool) -> None:
        self.grouped, self.deed, self.lives = grouped, deed, 0
        deed.made.append(self)

    async def run(self) -> None:
        self.lives += 1
        if self.lives < 4:
            gone = ActorGone("mortal/0 is gone: killed", "mortal/0")
            raise ExceptionGroup("in a group", [gone]) if self.grouped else gone
        self.deed.done.set()


def mortal(deed: Deed, **more: Any) -> dict[str, Any]:
    return {"run": {"checkpoint": 0}, "mortal": {"actor": Mortal, "deed": given(deed), **more}}


def given(deed: Deed) -> dict[str, Any]:
    return {"make": lambda: deed}


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what it waits for sets no Event
            await asyncio.sleep(0.001)


async def test_who_raises_comes_back_in_place_as_the_next_incarnation() -> None:
    deed = Deed()
    deed.raises = [ValueError("no data")]

    async with World(mortal(deed)) as world:
        await until(lambda: len(deed.made) == 2)
        n = await world.ref(Mortal, "mortal").add(1)
        deed.done.set()
        await world.finished()
        entry = world._conductor.roster.entries["mortal/0"]

    assert (n, entry.incarnation, entry.supervision.restarts) == (1, 2, 1)
    assert world.result is not None
    assert (world.result.outcome, world.result.reason) == ("finished", "")


async def test_who_raises_comes_back_from_its_last_checkpoint() -> None:
    deed = Deed()
    tables = mortal(deed)
    tables["mortal"]["actor"] = Stepping

    async with World(tables) as world:
        await world._conductor.rounds.take(10.0)
        deed.dead.append("now")
        await until(lambda: len(deed.made) == 2)
        await world.finished()

    first, second = deed.made
    assert (first.n, second.n) == (9, 5)


class Stepping(Mortal):
    """Reports until it is to die, which it does after its state has changed."""

    async def run(self) -> None:
        if self.n:
            return
        self.n = 5
        while not self.deed.dead:
            report(step=1)
            await asyncio.sleep(0.001)
        self.n = 9
        raise ValueError("no data")


@pytest.mark.parametrize(("times", "restarts"), [(0, "max_restarts is 0"), (2, "2 restarts in 60")])
async def test_who_raises_too_often_is_given_up_and_the_run_goes_on_to_fail(
    times: int, restarts: str
) -> None:
    deed = Deed()
    deed.raises = [ValueError("no data")] * 5
    tables = mortal(deed, max_restarts=times)
    patient = Deed()
    tables["brief"] = {"actor": Mortal, "deed": given(patient)}

    async with World(tables) as world:
        await until(lambda: world.failed)
        going_on = not world._conductor.over.is_set()
        with pytest.raises(ActorGone, match="mortal/0 is gone: ValueError: no data"):
            await world.ref(Mortal, "mortal").add(1)
        patient.done.set()
        with pytest.raises(
            RuntimeError, match=rf"mortal/0 was given up: ValueError: .*; {restarts}"
        ):
            await world.finished()

    assert going_on
    assert len(deed.made) == times + 1
    assert world.result is not None
    assert world.result.outcome == "failed"


async def test_a_temporary_actor_does_not_come_back() -> None:
    deed = Deed()
    deed.raises = [ValueError("no data")]

    async with World(mortal(deed, restart="temporary")) as world:
        await world.finished()
        entry = world._conductor.roster.entries["mortal/0"]

    assert (len(deed.made), entry.state) == (1, "gone")
    assert world.result is not None
    assert world.result.outcome == "finished"


async def test_a_permanent_actor_comes_back_though_its_life_returned() -> None:
    deed, other = Deed(), Deed()
    tables = mortal(other)
    tables["brief"] = {"actor": Brief, "deed": given(deed), "restart": "permanent"}

    async with World(tables) as world:
        await until(lambda: len(deed.made) == 2)
        other.done.set()
        world._conductor.stop()

    assert world.result is not None
    assert world.result.outcome == "stopped"


async def test_a_permanent_actor_whose_life_returns_as_the_run_ends_has_not_failed() -> None:
    deed = Deed()

    async with World(mortal(deed, restart="permanent")) as world:
        world._conductor.stop()
        deed.done.set()
        await until(lambda: world._conductor.roster.entries["mortal/0"].state == "gone")

    assert len(deed.made) == 1
    assert world.result is not None
    assert (world.result.outcome, world.result.problems) == ("stopped", [])


async def test_who_raises_as_the_run_ends_is_named() -> None:
    deed = Deed()
    tables = {"run": {"checkpoint": 0}, "late": {"actor": Late, "deed": given(deed)}}

    async def ends() -> None:
        async with World(tables) as world:
            world._conductor.stop()
            deed.done.set()
            await until(lambda: world._conductor.roster.entries["late/0"].state == "gone")

    with pytest.raises(RuntimeError, match="late/0 died: ValueError: no data"):
        await ends()


@pytest.mark.parametrize("grouped", [False, True])
async def test_a_life_ended_by_anothers_death_goes_on_and_spends_nothing(grouped: bool) -> None:
    griefs = Deed()
    tables = mortal(griefs)
    tables["griever"] = {
        "actor": Griever, "mortal": "@mortal", "deed": given(griefs), "grouped": grouped,
        "max_restarts": 1,
    }  # fmt: skip

    async with World(tables) as world:
        await world.finished()
        entry = world._conductor.roster.entries["griever/0"]

    griever = next(made for made in griefs.made if isinstance(made, Griever))
    assert griever.lives == 4
    assert (entry.incarnation, entry.supervision.restarts) == (1, 0)


async def test_a_life_ended_by_one_who_is_gone_for_good_spends_its_restarts() -> None:
    deed = Deed()
    deed.raises = [ValueError("no data")]
    tables = mortal(deed, restart="temporary")
    tables["asker"] = {
        "actor": Asker, "mortal": "@mortal", "deed": given(deed), "times": 10_000_000,
        "max_restarts": 1,
    }  # fmt: skip

    async with World(tables) as world:
        with pytest.raises(RuntimeError, match="asker/0 was given up: ActorGone: mortal/0 is gone"):
            await world.finished()

    assert deed.dead[0] == "mortal/0 is gone: ValueError: no data"


async def test_those_who_ask_one_that_is_down_are_answered_by_who_comes_after_it() -> None:
    deed = Deed()
    tables = mortal(deed)
    tables["asker"] = {"actor": Asker, "mortal": "@mortal", "deed": given(deed), "times": 20}
    deed.raises = [ValueError("no data")]

    async with World(tables) as world:
        await world.finished()

    assert world.result is not None
    assert world.result.outcome == "finished"
    accounts = [a for record in world.result.records.values() for a in record["accounts"]]
    assert sum(account["handled"] for account in accounts if account["from"] == "asker/0") == 20
    assert [(a["in_flight"], a["unknown"]) for a in accounts] == [(0, 0)] * len(accounts)
