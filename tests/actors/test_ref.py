"""A handle is its actor's name: equal by it, travelling as it, and strict about messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actors.conftest import World
from tether.actors import Group, Ref
from tether.actors.ref import is_ref, name_of, office_of


class Center:
    def __init__(self) -> None:
        self.x = 3

    async def exchange(self, x: int) -> int:
        return self.x + x

    async def pass_on(self, value: Any) -> Any:
        return value

    async def ask_other(self, other: Ref[Center], x: int) -> int:
        return await other.exchange(x)

    def rule(self) -> None: ...
    async def run(self) -> None: ...


async def test_awaiting_a_message_sends_it(world: World) -> None:
    center = world.spawn("center/0", Center)

    assert await center.exchange(4) == 7
    assert await center.exchange(x=5) == 8


@pytest.mark.parametrize("name", ["exchnage", "rule", "run", "x", "_private"])
async def test_what_is_not_a_message_is_an_error_that_names_those_there_are(
    world: World, name: str
) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(AttributeError, match=rf"center/0: Center\.{name} is not a message; a") as e:
        getattr(center, name)
    assert str(e.value).endswith("method of Center: ask_other, exchange, pass_on")


async def test_nothing_can_be_set_through_a_handle(world: World) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(AttributeError, match="center/0: x cannot be set through a Ref; send a"):
        center.x = 4


async def test_handles_are_equal_and_hash_by_name(world: World) -> None:
    center = world.spawn("center/0", Center)
    again, other = world.ref("center/0"), world.spawn("center/1", Center)

    assert center == again
    assert center != other
    assert center != "center/0"
    assert len({center, again, other}) == 2
    assert repr(center) == "<Ref center/0>"


async def test_a_handle_of_nobody_cannot_be_made(world: World) -> None:
    with pytest.raises(LookupError, match="there is no actor center/7 in this run"):
        world.ref("center/7")


async def test_handles_and_groups_travel_and_are_of_use_where_they_come(world: World) -> None:
    center, other = world.spawn("center/0", Center), world.spawn("center/1", Center, at="left")

    back = await center.pass_on({"one": other, "all": Group([center, other])})

    assert back == {"one": other, "all": Group([center, other])}
    assert await center.ask_other(other, 1) == 4
    assert await back["one"].exchange(2) == 5


async def test_a_handle_knows_its_name_and_office(world: World) -> None:
    center = world.spawn("center/0", Center)

    assert is_ref(center)
    assert not is_ref("center/0")
    assert name_of(center) == "center/0"
    assert office_of(center) is world.nodes["left"].calls


async def test_special_methods_are_not_asked_of_the_actor(world: World) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(AttributeError, match="__len__"):
        center.__len__()


async def test_a_call_with_wrong_arguments_fails_at_its_caller(world: World) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(TypeError, match="exchange"):
        await center.exchange(1, 2, 3)
