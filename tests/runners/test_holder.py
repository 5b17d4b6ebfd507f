"""Whoever keeps an event loop from its turns is named, with the line that does it."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import uvloop

from tests.actors.conftest import World, memory_world, until
from tether.actors import batched, oneway
from tether.actors.cell import Cell
from tether.runners.holder import Holder, holder

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def look(seen: list[Holder], cells: dict[str, Cell]) -> None:
    """Have another thread say who holds the loop, while this does."""
    loop, ident = asyncio.get_running_loop(), threading.get_ident()
    with ThreadPoolExecutor(1) as pool:
        seen.append(pool.submit(holder, "main", loop, ident, cells).result())


class Center:
    def __init__(self) -> None:
        self.seen: list[Holder] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.cells: dict[str, Cell] = {}

    def look(self) -> None:
        look(self.seen, self.cells)

    async def block(self) -> None:
        self.look()

    @oneway
    async def block_quietly(self) -> None:
        await asyncio.sleep(0)
        self.look()

    @batched(max_size=4, max_wait=0)
    async def predict(self, states: list[int]) -> list[int]:
        self.look()
        return states

    async def push(self) -> None:
        self.tasks.append(asyncio.create_task(self._push()))

    async def _push(self) -> None:
        self.look()

    async def begin(self) -> None:
        self.tasks.append(asyncio.create_task(looks(partial(look, self.seen, self.cells))))

    async def down(self, peer: str, why: Exception) -> None:
        self.look()

    async def run(self) -> None:
        await asyncio.sleep(0)
        self.look()


Play = Callable[[World], Awaitable[Any]]


async def ask(world: World) -> None:
    await world.act(world.ref("center/0").block)


async def tell(world: World) -> None:
    await world.act(world.ref("center/0").block_quietly)


async def batch(world: World) -> None:
    await world.act(lambda: world.ref("center/0").predict(1))


async def push(world: World) -> None:
    await world.act(world.ref("center/0").push)


async def looks(look: Callable[[], None]) -> None:
    look()


async def begin(world: World) -> None:
    await world.act(world.ref("center/0").begin)


async def errand(world: World) -> None:
    world.cell("center/0").post(world.actor("center/0").down, "worker/0", ConnectionError("gone"))


async def life(world: World) -> None:
    world.cell("center/0").live(lambda *_: None)


async def callback(world: World) -> None:
    asyncio.get_running_loop().call_soon(world.actor("center/0").look)


def seen(play: Play, make_loop: Callable[[], asyncio.AbstractEventLoop]) -> Holder:
    """Return who was seen to hold a loop."""

    async def watch() -> Holder:
        world = memory_world()
        world.spawn("center/0", Center)
        center: Center = world.actor("center/0")
        center.cells["center/0"] = world.cell("center/0")
        await play(world)
        await until(lambda: center.seen)
        await world.close()
        return center.seen[0]

    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(watch())


@pytest.mark.parametrize("make_loop", LOOPS)
@pytest.mark.parametrize(
    ("play", "who"),
    [
        (ask, "center/0: Center.block"),
        (tell, "center/0: Center.block_quietly"),
        (batch, "center/0: Center.predict"),
        (errand, "center/0: Center.down"),
        (life, "center/0: run()"),
        (push, "center/0: Center._push"),
        (callback, "center/0: Center.look"),
    ],
)
def test_who_holds_the_loop_is_named(
    play: Play, who: str, make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    assert seen(play, make_loop).who == who


@pytest.mark.parametrize("make_loop", LOOPS)
def test_a_task_that_an_actor_began_outside_its_methods_is_named(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    who = "center/0" if sys.version_info >= (3, 12) else "main"

    assert seen(begin, make_loop).who == f"{who}: looks"


@pytest.mark.parametrize("make_loop", LOOPS)
def test_the_line_is_the_users_even_inside_the_standard_library(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    where = seen(ask, make_loop).where

    first = look.__code__.co_firstlineno
    assert re.fullmatch(r"test_holder\.py:\d+", where)
    assert first < int(where.partition(":")[2]) <= first + 4


def test_the_line_is_that_of_the_runtime_when_no_user_has_one() -> None:
    async def main() -> Holder:
        loop, ident = asyncio.get_running_loop(), threading.get_ident()
        seen: list[Holder] = []
        held = threading.Event()

        def look() -> None:
            while not seen or not seen[-1].where.startswith("threading.py:"):
                seen.append(holder("main", loop, ident, {}))
            held.set()

        thread = threading.Thread(target=look)
        thread.start()
        loop.call_soon(held.wait)
        await until(held.is_set)
        thread.join()
        return seen[-1]

    found = asyncio.run(main())

    assert found.who == "main: something"


def test_a_thread_that_is_over_holds_nothing() -> None:
    async def main() -> Holder:
        return holder("main", asyncio.get_running_loop(), -1, {})

    assert asyncio.run(main()).where == ""


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("players.py:79", "x has held the event loop for 1.3 s, at players.py:79"),
        ("", "x has held the event loop for 1.3 s"),
    ],
)
def test_a_holder_is_told_in_a_sentence(where: str, text: str) -> None:
    assert Holder("x", where).text(1.26) == text
