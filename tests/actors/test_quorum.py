"""A quorum is content with enough answers, and says what became of the others."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.actors.conftest import World, in_virtual_time, memory_world, until
from tether.actors import Group, QuorumMissed


class Client:
    def __init__(self, number: int) -> None:
        self.number = number
        self.open = asyncio.Event()
        self.started = False

    async def update(self) -> int:
        self.started = True
        await self.open.wait()
        if self.number == 9:
            raise ValueError("9 diverged")
        return self.number


def clients(world: World, *numbers: int) -> Group[Any]:
    return Group([world.spawn(f"client/{n}", partial(Client, n), Client) for n in numbers])


def let(world: World, *numbers: int) -> None:
    for n in numbers:
        world.actor(f"client/{n}").open.set()


async def test_enough_answers_come_in_member_order_with_who_gave_them(world: World) -> None:
    group = clients(world, 0, 1, 2, 3)
    let(world, 3, 1)

    answers = await group.first(2).map(Client.update)

    assert answers == [1, 3]
    assert answers.members == [group[1], group[3]]
    assert answers.missing == {group[0]: "late", group[2]: "late"}
    let(world, 0, 2)


async def test_a_failure_is_missing_and_the_others_are_enough(world: World) -> None:
    group = clients(world, 9, 1, 2)
    let(world, 9, 1)
    await until(lambda: True)

    asked = asyncio.ensure_future(group.first(2).map(Client.update))
    await until(lambda: world.actor("client/9").started)
    let(world, 2)
    answers = await asked

    assert answers == [1, 2]
    assert answers.missing == {group[0]: "ValueError: 9 diverged"}


async def test_a_quorum_that_cannot_be_reached_any_more_is_missed_at_once(world: World) -> None:
    group = clients(world, 9, 1)
    let(world, 9, 1)

    with pytest.raises(QuorumMissed, match=r"Group\.first\(2\)\.map\(Client\.update\): 1 of 2 ans"):
        await group.first(2).map(Client.update)


def test_a_quorum_not_reached_in_time_is_missed_and_holds_what_came() -> None:
    async def main() -> tuple[QuorumMissed, float]:
        world = memory_world()
        group = clients(world, 0, 1, 2)
        let(world, 1)
        with pytest.raises(QuorumMissed) as caught:
            await group.first(2, within=30).map(Client.update)
        assert caught.value.members == [group[1]]
        assert caught.value.missing == {group[0]: "late", group[2]: "late"}
        now = asyncio.get_running_loop().time()
        await world.close()
        return caught.value, now

    error, now = in_virtual_time(main())

    assert str(error) == "Group.first(2).map(Client.update): 1 of 3 answered within 30 s"
    assert (error.answers, now) == ([1], 30)


async def test_what_comes_too_late_is_handed_to_the_asker_as_a_message(world: World) -> None:
    group = clients(world, 0, 1, 2)
    let(world, 1)

    async def play() -> list[int]:
        script = world.actor("script/0")
        answers = await group.first(1, late=script.take).map(Client.update)
        return list(answers)

    answers = await world.act(play)
    let(world, 0, 2)
    await until(lambda: len(world.actor("script/0").came) == 2)

    assert answers == [1]
    assert sorted(world.actor("script/0").came) == [0, 2]


async def test_an_answer_beyond_the_quorum_is_late_too(world: World) -> None:
    group = clients(world, 0, 1, 2)
    let(world, 0, 1, 2)
    came: list[int] = []

    async def late(answer: int) -> None:
        came.append(answer)

    answers = await group.first(1, late=late).map(Client.update)
    await until(lambda: len(came) == 2)

    assert sorted([*answers, *came]) == [0, 1, 2]


async def test_a_late_failure_is_not_handed_on(world: World) -> None:
    group = clients(world, 9, 1, 2)
    came: list[int] = []

    async def late(answer: int) -> None:
        came.append(answer)

    let(world, 1)
    answers = await group.first(1, late=late).map(Client.update)
    let(world, 9, 2)
    await until(lambda: came)
    await world.quiet()

    assert (answers, came) == ([1], [2])


async def test_without_late_what_has_not_started_is_cancelled_and_the_rest_dropped(
    world: World,
) -> None:
    group = clients(world, 0, 1)
    let(world, 0)
    blocked = asyncio.ensure_future(group[1].update())
    await until(lambda: world.actor("client/1").started)

    async def play() -> list[int]:
        return list(await group.first(1).map(Client.update))

    answers = await world.act(play)
    await until(lambda: not world.cell("client/1").mailbox)
    let(world, 1)
    await blocked
    await world.quiet()

    assert answers == [0]
    assert world.books("script/0", "client/1")["dropped"] == {"cancelled": 1}


async def test_a_cancelled_quorum_cancels_its_asks(world: World) -> None:
    group = clients(world, 0, 1)
    task = asyncio.ensure_future(group.first(1).map(Client.update))
    await until(lambda: world.actor("client/1").started)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    let(world, 0, 1)
    await world.quiet()

    assert all(len(node.calls) == 0 for node in world.each)
