"""A time limit travels with the asks made inside it."""

from __future__ import annotations

import asyncio

import pytest

from tests.actors.conftest import World, in_virtual_time, memory_world, until
from tether.actors import oneway, within
from tether.actors.context import deadline


class Sleeper:
    def __init__(self) -> None:
        self.deadlines: list[float | None] = []
        self.ended = 0
        self.open = asyncio.Event()

    async def remaining(self) -> float | None:
        end = deadline.get()
        return None if end is None else end - asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.ended += 1

    async def wait(self) -> None:
        await self.open.wait()
        self.ended += 1

    @oneway
    async def note(self, seconds: float) -> None:
        await self.sleep(seconds)


class Relay:
    def __init__(self, following: Sleeper | Relay) -> None:
        self.following = following

    async def remaining(self) -> float | None:
        return await self.following.remaining()

    async def sleep(self, seconds: float) -> None:
        async with within(100):
            await self.following.sleep(seconds)


def test_a_block_that_takes_longer_ends_at_its_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with within(5):
                await asyncio.sleep(10)
        return asyncio.get_running_loop().time()

    assert in_virtual_time(main()) == 5


def test_of_two_limits_the_earlier_end_holds() -> None:
    async def main() -> list[float | None]:
        ends: list[float | None] = []
        async with within(5):
            async with within(50):
                ends.append(deadline.get())
            async with within(2):
                ends.append(deadline.get())
            ends.append(deadline.get())
        return [*ends, deadline.get()]

    assert in_virtual_time(main()) == [5, 2, 5, None]


def test_what_remains_is_inherited_through_a_chain_of_actors() -> None:
    async def main() -> tuple[float | None, float | None]:
        world = memory_world()
        sleeper = world.spawn("sleeper/0", Sleeper)
        inner = world.spawn("relay/0", lambda: Relay(sleeper))
        outer = world.spawn("relay/1", lambda: Relay(inner))
        without = await outer.remaining()
        async with within(5):
            await asyncio.sleep(2)
            inside = await outer.remaining()
        await world.close()
        return without, inside

    assert in_virtual_time(main()) == (None, 3)


def test_the_innermost_minimum_ends_a_chain() -> None:
    async def main() -> tuple[float, int]:
        world = memory_world()
        sleeper = world.spawn("sleeper/0", Sleeper)
        relay = world.spawn("relay/0", lambda: Relay(sleeper))
        with pytest.raises(TimeoutError):
            async with within(3):
                await relay.sleep(10)
        now = asyncio.get_running_loop().time()
        await until(lambda: world.actor("sleeper/0").ended)
        ended: int = world.actor("sleeper/0").ended
        await world.close()
        return now, ended

    assert in_virtual_time(main()) == (3, 1)


def test_a_started_handler_is_not_cut_short_but_what_it_asks_is() -> None:
    async def main() -> str:
        world = memory_world()
        sleeper = world.spawn("sleeper/0", Sleeper)
        said: list[BaseException] = []

        class Asker:
            async def ask(self) -> None:
                try:
                    await sleeper.sleep(10)
                except TimeoutError as error:
                    said.append(error)

        asker = world.spawn("asker/0", Asker)
        with pytest.raises(TimeoutError):
            async with within(3):
                await asker.ask()
        await until(lambda: said)
        await world.close()
        return str(said[0])

    assert in_virtual_time(main()) == (
        "sleeper/0: Sleeper.sleep was not answered within the time given"
    )


async def test_what_was_waited_for_when_the_time_was_over_is_named(world: World) -> None:
    sleeper = world.spawn("sleeper/0", Sleeper)

    with pytest.raises(
        TimeoutError, match=r"sleeper/0: Sleeper\.wait was not answered within the time given$"
    ):
        async with within(0.01):
            await sleeper.wait()
    world.actor("sleeper/0").open.set()


async def test_a_limit_on_what_is_no_call_ends_without_a_word() -> None:
    with pytest.raises(TimeoutError, match=r"^$"):
        async with within(0.001):
            await asyncio.Event().wait()


async def test_a_call_that_did_not_start_in_time_is_dropped_and_booked(world: World) -> None:
    sleeper = world.spawn("sleeper/0", Sleeper)
    actor = world.actor("sleeper/0")
    first = asyncio.ensure_future(sleeper.wait())
    await until(lambda: world.cell("sleeper/0").current)

    async def play() -> None:
        async with within(0.02):
            await sleeper.wait()

    with pytest.raises(TimeoutError):
        await world.act(play)
    await until(lambda: not world.cell("sleeper/0").mailbox)
    actor.open.set()
    await first
    await world.quiet()

    dropped = world.books("script/0", "sleeper/0")["dropped"]
    assert dropped in ({"cancelled": 1}, {"expired": 1})
    assert actor.ended == 1


def test_a_one_way_that_comes_too_late_is_dropped_as_expired() -> None:
    async def main() -> dict[str, int]:
        world = memory_world()
        sleeper = world.spawn("sleeper/0", Sleeper)

        async def play() -> None:
            await sleeper.note(10)
            async with within(3):
                await sleeper.note(1)

        await world.act(play)
        await world.quiet()
        assert world.actor("sleeper/0").ended == 1
        dropped: dict[str, int] = world.books("script/0", "sleeper/0")["dropped"]
        await world.close()
        return dropped

    assert in_virtual_time(main()) == {"expired": 1}


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_limit_is_a_time(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"within: .* seconds, but a time of 0 or more is wanted"):
        within(seconds)


async def cancelled_within(seconds: float, task: asyncio.Task[None]) -> None:
    async with within(seconds):
        task.cancel()
        await asyncio.sleep(0)


async def test_a_cancelled_block_gives_the_outer_limit_back() -> None:
    task = asyncio.current_task()
    assert task is not None

    with pytest.raises(asyncio.CancelledError):
        await cancelled_within(5, task)

    task.uncancel()
    assert deadline.get() is None
