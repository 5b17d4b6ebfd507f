"""Membership: tables grow and shrink while all work, and nobody's message is lost by that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually
from tests.conformance.spokes import Hub, Spoke
from tether.actors import ActorGone
from tether.runners.world import World

WIRING: dict[str, Any] = {
    "hub": {"actor": Hub, "spokes": "@spoke[*]"},
    "spoke": {
        "actor": Spoke, "hub": "@hub", "me": "@me", "index": "$index",
        "count": {"start": 2, "min": 1, "max": 4},
    },
}  # fmt: skip

SHARED = {**WIRING, "spoke": {**WIRING["spoke"], "processes": 2}}
"""The same, but several spokes live in a process that is there before they are."""


async def works(spoke: Spoke) -> None:
    """Wait until a spoke has made a few steps."""
    await eventually(spoke.reached, lambda reached: reached >= 3)


def test_nothing_is_lost_while_a_table_grows_and_shrinks(play: Play) -> None:
    async def main(world: World) -> tuple[list[int], dict[str, int]]:
        hub, spokes = world.ref(Hub, "hub"), world.group(Spoke, "spoke")
        sizes = [await hub.bring_to(4), len(spokes)]
        for spoke in spokes:
            await works(spoke)
        await spokes.resize(1)
        sizes += [len(spokes)]
        counted = await hub.counted()
        return sizes, {name: n for name, n in counted.items() if name != "spoke/0"}

    sizes, counted = play(WIRING, main)

    assert sizes == [4, 4, 1]
    assert sorted(counted) == ["spoke/1", "spoke/2", "spoke/3"]
    for name, n in counted.items():  # each has left between two steps, and all it sent was handled
        assert play.account(name, "hub/0")["handled"] == n
        assert play.world.result is not None
        assert play.world.result.records[name]["steps"] == n


def test_who_holds_a_live_group_and_who_is_in_it_are_told_of_changes(play: Play) -> None:
    async def main(world: World) -> tuple[list[str], list[str], list[str]]:
        hub, spokes = world.ref(Hub, "hub"), world.group(Spoke, "spoke")
        await works(spokes[1])
        await spokes.resize(3)
        await works(spokes[2])
        of_two = await spokes[1].was_told()
        await spokes.resize(1)
        told = await eventually(hub.was_told, lambda told: len(told) >= 5)
        return told, of_two, await spokes[0].was_told()

    told, of_two, of_one = play(SHARED, main)

    joined, left = ["<Ref spoke/2> joined"], ["<Ref spoke/2> left", "<Ref spoke/1> left"]
    assert told[:3] == joined + left
    assert sorted(told[3:]) == [f"ActorGone: spoke/{k} is gone: it has left" for k in (1, 2)]
    assert of_two == joined
    assert of_one == joined + left


def test_a_call_to_all_is_of_those_who_are_there_when_it_is_made(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> tuple[list[int], list[int]]:
        hub, spokes = world.ref(Hub, "hub"), world.group(Spoke, "spoke")
        asked = asyncio.ensure_future(spokes.map(Spoke.index_after, gate.path))
        await gate.reached()
        await spokes.resize(4)
        await eventually(hub.size, lambda size: size == 4)
        gate.open()
        return await asked, await hub.ask_all(gate.path)

    assert play(WIRING, main) == ([0, 1], [0, 1, 2, 3])


def test_who_has_joined_is_known_to_all_when_the_table_has_its_size(play: Play) -> None:
    async def main(world: World) -> list[int]:
        hub, spokes = world.ref(Hub, "hub"), world.group(Spoke, "spoke")
        sizes = []
        for size in (4, 1, 3, 2, 4):
            await spokes.resize(size)
            sizes.append(await hub.size())
        return sizes

    assert play(SHARED, main) == [4, 1, 3, 2, 4]


def test_who_leaves_hands_over_what_it_holds_with_all_that_was_sent_to_it(play: Play) -> None:
    async def main(world: World) -> tuple[dict[str, int], dict[str, int]]:
        hub, spokes = world.ref(Hub, "hub"), world.group(Spoke, "spoke")
        second = spokes[1]
        await works(second)
        for _ in range(20):
            await second.take(1)
        before = dict(await hub.inherited())
        await spokes.resize(1)
        return before, await hub.inherited()

    assert play(SHARED, main) == ({}, {"spoke/1": 20})


def test_who_joins_is_made_alone_and_all_who_begin_are_made_together(play: Play) -> None:
    async def main(world: World) -> list[bool]:
        spokes = world.group(Spoke, "spoke")
        await spokes.resize(4)
        return await spokes.map(Spoke.was_alone)

    assert play(SHARED, main) == [False, False, True, True]
    assert play(WIRING, main) == [False, False, True, True]


def test_who_has_left_is_gone_and_who_comes_again_begins_afresh(play: Play) -> None:
    async def main(world: World) -> tuple[int, list[str]]:
        spokes = world.group(Spoke, "spoke")
        for size in (0, 5):
            text = rf"\[spoke\] may have 1 to 4 actors, but {size} are asked for"
            with pytest.raises(ValueError, match=text):
                await spokes.resize(size)
        second = spokes[1]
        await works(second)
        await spokes.resize(1)
        with pytest.raises(ActorGone, match="spoke/1 is gone: it has left"):
            await second.reached()
        with pytest.raises(IndexError):
            spokes[1]
        await spokes.resize(2)
        await works(spokes[1])
        assert spokes[1] == second
        return await second.who(), await second.was_told()

    assert play(SHARED, main) == (2, [])
