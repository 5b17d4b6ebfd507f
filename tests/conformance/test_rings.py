"""Deadlock: handlers that wait for each other in a ring are named, and one of them gives way."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually
from tests.conformance.players import Beginner, Link
from tether.actors import CallCycle
from tether.runners.world import World

WIRING = {
    "link": {"actor": Link, "count": 3, "processes": 2},
    "slow": {"actor": Link, "beside": "link"},
}


def test_a_ring_of_three_is_named_and_broken_but_one_who_is_slow_is_no_ring(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> tuple[str, list[str]]:
        links, slow = world.group(Link, "link"), world.ref(Link, "slow")
        waits = asyncio.ensure_future(slow.relay([], gate.path))
        await gate.reached()
        behind = asyncio.ensure_future(slow.relay([links[2]]))
        with pytest.raises(CallCycle) as caught:
            await links[0].relay([links[1], links[2], links[0]])
        gate.open()
        answers = [await waits, await behind, *await links.map(Link.relay, [])]
        return str(caught.value), answers

    text, answers = play(WIRING, main)

    ring = " → ".join(f"link/{k}.Link.relay" for k in (0, 1, 2, 0))
    assert text == f"handlers wait for each other in a ring: {ring}"
    assert answers == ["arrived"] * 5


def test_who_asks_itself_in_a_handler_is_a_ring_too(play: Play) -> None:
    async def main(world: World) -> str:
        link = world.ref(Link, "link/0")
        with pytest.raises(CallCycle) as caught:
            await link.relay([link])
        assert await link.relay([]) == "arrived"
        return str(caught.value)

    text = play(WIRING, main)

    assert text.endswith("ring: link/0.Link.relay → link/0.Link.relay")
    assert play.account("link/0", "link/0")["dropped"] == {"cycle": 1}


def test_a_wait_for_room_may_be_part_of_a_ring(play: Play) -> None:
    gates = play.gate(), play.gate()

    async def main(world: World) -> tuple[list[Any], list[list[Any]]]:
        links = world.group(Link, "link")[:2]
        floods = [
            asyncio.ensure_future(links[k].flood(links[1 - k], 10, gates[k].path)) for k in (0, 1)
        ]
        for gate in gates:
            await gate.reached()
        for gate in gates:
            gate.open()
        ends = await asyncio.gather(*floods, return_exceptions=True)
        seen = await eventually(
            partial(links.map, Link.handled), lambda seen: sum(map(len, seen)) == 14
        )
        return ends, seen

    ends, seen = play({**WIRING, "run": {"messages": 4}}, main)

    (cycle,) = [end for end in ends if isinstance(end, CallCycle)]
    assert {"link/0.Link.flood", "link/1.Link.flood"} < set(str(cycle).replace(":", " ").split())
    assert [end for end in ends if not isinstance(end, CallCycle)] == [10]
    assert sorted(map(len, seen)) == [4, 10]
    assert all(each == list(range(len(each))) for each in seen)


def test_an_own_life_may_ask_one_who_asks_it_back(play: Play) -> None:
    wiring = {
        "beginner": {"actor": Beginner, "me": "@me", "other": "@link", "last": "@last"},
        "link": {"actor": Link},
        "last": {"actor": Link, "beside": "link"},
    }

    async def main(world: World) -> str:
        return await eventually(world.ref(Beginner, "beginner").how_it_went)

    assert play(wiring, main) == "arrived"
