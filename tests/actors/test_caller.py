"""What a handle keeps of its calls never outlives what it was true for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.actors.conftest import Make, Script, World, until
from tether.actors import ActorGone, oneway
from tether.actors.context import acting
from tether.actors.directory import Place
from tether.actors.packet import Window


class Center:
    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.got: list[Any] = []

    @oneway
    async def tell(self, value: Any, *, by: str = "") -> None:
        self.got.append((value, by))

    async def ask(self, value: Any) -> Any:
        return value

    async def block(self) -> None:
        await self.open.wait()


async def test_a_message_of_a_handle_is_looked_up_once(world: World) -> None:
    center = world.spawn("center/0", Center)

    assert center.tell is center.tell
    assert "tell" in vars(center)
    assert await center.ask(3) == await center.ask(3) == 3


async def test_one_way_arguments_travel_by_place_and_by_name(world: World) -> None:
    center = world.spawn("center/0", Center)

    async def play() -> None:
        await center.tell([1, (2, 3)], by="name")
        await center.tell({"a": 4})

    await world.act(play)
    await world.quiet()

    assert world.actor("center/0").got == [([1, (2, 3)], "name"), ({"a": 4}, "")]


async def test_a_one_way_is_as_it_was_when_it_was_handed_over(world: World) -> None:
    center = world.spawn("center/0", Center)
    value = [1]

    async def play() -> None:
        await center.tell(value)
        value.append(2)

    await world.act(play)
    await world.quiet()

    assert world.actor("center/0").got == [([1], "")]


async def test_actors_that_share_a_handle_are_booked_each_for_itself(world: World) -> None:
    center = world.spawn("center/0", Center)

    async def play() -> None:
        for value in range(3):
            await center.tell(value)
            await asyncio.sleep(0)

    others = ("a/0", "b/0")
    for name in others:
        world.start(play, name)
    for name in others:
        await world.end(name)
    await world.quiet()

    assert [world.books(name, "center/0")["sent"] for name in others] == [3, 3]


async def test_a_handle_goes_on_with_the_next_incarnation(memory: World) -> None:
    center = memory.spawn("center/0", Center)
    node = memory.nodes["left"]

    async def play() -> None:
        await center.tell(1)
        await until(lambda: memory.actor("center/0").got)
        await until(lambda: memory.books("script/0", "center/0")["in_flight"] == 0)
        node.down("center/0", "killed by signal 9")
        await node.bury("center/0")
        node.directory.add("center/0", Place("home", Center, 2))
        node.up("center/0", Place("home", Center, 2))
        node.spawn("center/0", Center)
        await center.tell(2)

    await memory.act(play)
    await memory.quiet()

    assert memory.actor("center/0").got == [(2, "")]


async def test_a_one_way_to_one_who_is_gone_fails(memory: World) -> None:
    center = memory.spawn("center/0", Center)
    node = memory.nodes["left"]

    async def play() -> None:
        await center.tell(1)
        node.down("center/0", "given up", final=True)
        with pytest.raises(ActorGone, match="center/0 is gone: given up"):
            await center.tell(2)

    await memory.act(play)


async def test_what_an_ended_actor_left_behind_tells_nobody_anything(memory: World) -> None:
    center = memory.spawn("center/0", Center)
    memory.spawn("other/0", lambda: Script(asyncio.Event().wait))
    left_behind: list[Any] = []

    async def play() -> None:
        left_behind.append(acting.get())

    await memory.act(play, "ended/0")
    await memory.cell("ended/0").stop()
    token = acting.set(left_behind[0])
    with pytest.raises(ActorGone, match="ended/0 has ended"):
        await center.tell(1)
    acting.reset(token)


async def test_from_outside_any_actor_it_is_the_process_that_tells(world: World) -> None:
    center = world.spawn("center/0", Center)

    await center.tell(5)
    await world.quiet()

    assert world.actor("center/0").got == [(5, "")]


async def test_a_one_way_waits_where_there_is_no_room(make_world: Make) -> None:
    world = await make_world(Window(messages=2))
    center = world.spawn("center/0", Center)
    told: list[int] = []

    async def play() -> None:
        blocked = asyncio.ensure_future(center.block())
        await asyncio.sleep(0)
        for value in range(3):
            await center.tell(value)
            told.append(value)
        await blocked

    world.start(play)
    await until(lambda: told == [0])
    await asyncio.sleep(0)
    assert told == [0]
    world.actor("center/0").open.set()
    await world.end()
    await world.quiet()

    assert world.actor("center/0").got == [(value, "") for value in range(3)]


async def test_a_message_there_is_not_is_named_with_those_there_are(memory: World) -> None:
    center = memory.spawn("center/0", Center)

    with pytest.raises(AttributeError, match=r"Center\.tel is not a message; .*ask, block, tell"):
        await center.tel(1)


async def test_what_does_not_travel_is_refused_with_the_message(world: World) -> None:
    center = world.spawn("center/0", Center)

    for message in ("tell", "ask"):
        with pytest.raises(TypeError, match=rf"Center\.{message}: a builtins\.object does not"):
            await getattr(center, message)(object())


async def test_what_is_plain_and_what_is_not_may_take_turns(world: World) -> None:
    center = world.spawn("center/0", Center)
    values = [1, (2, 3), [4], 2**70, {"a": (5,)}, "text", None]

    answers = [await center.ask(value) for value in values]

    assert answers == values
