"""One at a time: an actor handles a message, then the next, and its own life goes on beside."""

from __future__ import annotations

import asyncio

from tests.conformance.conftest import Play
from tests.conformance.players import Turnstile, Visitor
from tether.runners.world import World

WIRING = {
    "turnstile": {"actor": Turnstile},
    "visitor": {"actor": Visitor, "turnstile": "@turnstile", "count": 2, "processes": 1},
}


def test_handlers_of_one_actor_never_overlap_whoever_calls(play: Play) -> None:
    async def main(world: World) -> tuple[int, int]:
        turnstile = world.ref(Turnstile, "turnstile")
        visitors = world.group(Visitor, "visitor")
        own = [turnstile.enter() for _ in range(20)]
        await asyncio.gather(visitors.map(Visitor.visit, 20), *own)
        return await turnstile.counted()

    most, passed = play(WIRING, main)

    assert (most, passed) == (1, 100)


def test_the_own_life_goes_on_while_a_handler_waits(play: Play) -> None:
    async def main(world: World) -> int:
        return await world.ref(Turnstile, "turnstile").wait_for_ticks(10)

    ticks = play({"turnstile": {"actor": Turnstile}}, main)

    assert ticks >= 10
