"""Drawing is the acting actor's, and nobody else's generator is touched."""

from __future__ import annotations

import random

from tests.actors.conftest import World
from tether.actors.chance import chance


async def test_inside_an_actor_its_own_generator_draws(world: World) -> None:
    async def draw() -> tuple[float, float]:
        return chance().random(), chance().random()

    drawn = await world.act(draw)

    expected = random.Random("0/script/0")
    assert drawn == (expected.random(), expected.random())


def test_outside_an_actor_one_generator_goes_on() -> None:
    random.seed(0)
    state = random.getstate()

    first, second = chance().random(), chance().random()

    assert first != second
    assert random.getstate() == state
