"""Actors that join and leave a world while it lives, in this process and in their own."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from tether.actors.errors import ActorGone
from tether.actors.group import Group
from tether.actors.ref import Ref
from tether.actors.report import report
from tether.runners.folder import final_state
from tether.runners.result import Result
from tether.runners.world import World

KINDS = pytest.mark.parametrize("kind", ["local", "processes"])
Kind = Literal["local", "processes"]


class Hub:
    """Adds up what workers send, and grows or shrinks their table."""

    def __init__(self, workers: Group[Any]) -> None:
        self.workers = workers
        self.n = 0
        self.seen: list[str] = []

    async def exchange(self, k: int) -> int:
        self.n += k
        return self.n

    async def bring_to(self, n: int) -> int:
        await self.workers.resize(n)
        return len(self.workers)

    async def joined(self, peer: Ref[Any]) -> None:
        self.seen.append(f"joined {peer!r}")

    async def left(self, peer: Ref[Any]) -> None:
        self.seen.append(f"left {peer!r}")

    async def saw(self) -> list[str]:
        return self.seen

    def state_dict(self) -> dict[str, int]:
        return {"n": self.n}


class Spoke:
    """Exchanges step by step, for ever."""

    def __init__(self, hub: Ref[Hub], index: int, fails: int = -1) -> None:
        if index == fails:
            raise ValueError("tau is 0")
        self.hub, self.t = hub, 0
        self.seen: list[str] = []

    async def run(self) -> None:
        while True:
            await self.hub.exchange(1)
            self.t += 1
            report(step=self.t)

    async def reached(self) -> int:
        return self.t

    async def joined(self, peer: Ref[Any]) -> None:
        self.seen.append(repr(peer))

    async def met(self) -> list[str]:
        return self.seen

    def state_dict(self) -> dict[str, int]:
        return {"t": self.t}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.t = state["t"]


class Idle:
    """Has nothing to do."""

    async def look(self) -> None: ...


def tables(kind: Kind, start: int = 2, **more: Any) -> dict[str, Any]:
    where = "tests.runners.test_world_membership"
    hub, spoke = (Hub, Spoke) if kind == "local" else (f"{where}:Hub", f"{where}:Spoke")
    return {
        "run": {"checkpoint": 0},
        "hub": {"actor": hub, "workers": "@w[*]"},
        "w": {
            "actor": spoke, "hub": "@hub", "index": "$index",
            "count": {"start": start, "min": 1, "max": 4}, **more,
        },
    }  # fmt: skip


def hub_of(world: World, kind: Kind) -> Any:
    return world.ref(cls("Hub", kind), "hub")


def cls(name: str, kind: Kind) -> Any:
    """Return a class as the actors' process knows it."""
    here = globals()[name]
    return here if kind == "local" else getattr(importlib.import_module(MODULE), name)


MODULE = "tests.runners.test_world_membership"


@pytest.fixture(autouse=True)
def found_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this module found in the processes of a run."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent.parent))


def books(result: Result | None) -> list[dict[str, Any]]:
    assert result is not None
    assert (result.outcome, result.reason, result.problems) == ("stopped", "", [])
    return [account for record in result.records.values() for account in record["accounts"]]


async def until_at_step(world: World, kind: Kind, name: str) -> None:
    ref = world.ref(cls("Spoke", kind), name)
    async with asyncio.timeout(20):
        while await ref.reached() < 2:  # noqa: ASYNC110 - an actor elsewhere sets no Event
            await asyncio.sleep(0.001)


@KINDS
async def test_no_message_is_lost_while_a_table_grows_and_shrinks(
    kind: Kind, tmp_path: Path
) -> None:
    async with World(tables(kind), kind, folder=tmp_path / "run") as world:
        hub = hub_of(world, kind)
        grown = await hub.bring_to(4)
        await until_at_step(world, kind, "w/3")
        await world.group(cls("Spoke", kind), "w").resize(1)
        await until_at_step(world, kind, "w/0")

    accounts = books(world.result)
    assert grown == 4
    assert [a for a in accounts if a["unknown"] or a["in_flight"]] == []
    exchanged = {a["from"]: a["handled"] for a in accounts if a["to"] == "hub/0"}
    exchanged.pop("world", None)
    assert sorted(exchanged) == ["w/0", "w/1", "w/2", "w/3"]
    assert final_state(tmp_path / "run", "hub")["n"] == sum(exchanged.values())
    kept = {name: final_state(tmp_path / "run", name)["t"] for name in exchanged}
    assert exchanged.pop("w/0") - kept.pop("w/0") in {0, 1}  # the end of the run cut it short
    assert kept == exchanged  # the others left between two steps


@KINDS
async def test_who_holds_a_group_and_who_is_in_it_are_told(kind: Kind) -> None:
    async with World(tables(kind), kind) as world:
        workers = world.group(cls("Spoke", kind), "w")
        await workers.resize(3)
        grown = len(workers)
        met = await world.ref(cls("Spoke", kind), "w/0").met()
        await workers.resize(1)
        seen = await hub_of(world, kind).saw()
        left = [repr(worker) for worker in workers]

    assert (grown, left) == (3, ["<Ref w/0>"])
    assert met == ["<Ref w/2>"]
    assert seen == ["joined <Ref w/2>", "left <Ref w/2>", "left <Ref w/1>"]


@KINDS
async def test_who_comes_again_begins_afresh(kind: Kind) -> None:
    async with World(tables(kind), kind) as world:
        workers = world.group(cls("Spoke", kind), "w")
        await until_at_step(world, kind, "w/1")
        await workers.resize(1)
        with pytest.raises(ActorGone, match="w/1 is gone: it has left"):
            await world.ref(cls("Spoke", kind), "w/1").reached()
        await workers.resize(2)
        await until_at_step(world, kind, "w/1")
        incarnation = world._conductor.roster.entries["w/1"].incarnation

    assert incarnation == 2
    assert [a for a in books(world.result) if a["unknown"] or a["in_flight"]] == []


@KINDS
async def test_who_cannot_be_made_does_not_join(kind: Kind) -> None:
    async with World(tables(kind, fails=2), kind) as world:
        workers = world.group(cls("Spoke", kind), "w")
        with pytest.raises(
            ValueError, match="w/2 could not join: it could not be made: ValueError"
        ):
            await workers.resize(3)
        there = [repr(worker) for worker in workers]
        await until_at_step(world, kind, "w/1")
        living = len(world._conductor.roster.members)

    assert there == ["<Ref w/0>", "<Ref w/1>"]
    assert living == (1 if kind == "local" else 4)
    assert [a for a in books(world.result) if a["unknown"] or a["in_flight"]] == []


async def test_a_group_of_fixed_size_has_it_for_ever() -> None:
    async with World({"w": {"actor": Idle, "count": 2}}) as world:
        with pytest.raises(ValueError, match=r"Group\.resize: this group is fixed; write count = "):
            await world.group(Idle, "w").resize(3)


async def test_a_group_has_the_bounds_of_its_table() -> None:
    async with World(tables("local")) as world:
        with pytest.raises(ValueError, match=r"\[w\] may have 1 to 4 actors, but 5 are asked for"):
            await world.group(Spoke, "w").resize(5)


async def test_a_table_nobody_wrote_has_no_group() -> None:
    async with World(tables("local")) as world:
        with pytest.raises(LookupError, match=r"world has no table \[v\]"):
            world.group(Spoke, "v")


async def test_a_table_may_change_while_everybody_is_at_work() -> None:
    async with World(tables("local")) as world:
        workers = world.group(Spoke, "w")
        for size in (4, 1, 3, 2, 4, 1):
            await workers.resize(size)
            assert len(workers) == size

    assert [a for a in books(world.result) if a["unknown"] or a["in_flight"]] == []
