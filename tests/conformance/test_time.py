"""Time: limits travel with what is asked inside them, and nobody is interrupted in a handler."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.gates import Gate
from tests.conformance.players import Between, Caller, Slow
from tests.conformance.worlds import needs
from tether.actors import within
from tether.runners.world import World

WIRING = {
    "slow": {"actor": Slow},
    "between": {"actor": Between, "slow": "@slow"},
    "caller": {"actor": Caller, "center": "@slow", "beside": "between"},
}
LONG = 0.05
"""Seconds after which a time that is to be over is over."""


async def busy(world: World, gate: Gate, until: int = 0) -> asyncio.Future[Any]:
    """Have the slow one held up by somebody else; return what ends when it is free.

    It is so when the gate is open, and so many messages wait: the last of them come after all that
    was taken back.
    """
    held = asyncio.ensure_future(world.ref(Caller, "caller").hold(gate.path, until))
    await gate.reached()
    return held


def test_what_remains_of_a_limit_travels_with_all_that_is_asked_inside(play: Play) -> None:
    async def main(world: World) -> None:
        slow, between = world.ref(Slow, "slow"), world.ref(Between, "between")
        assert await slow.remaining() is None
        async with within(100):
            assert 50 < (await slow.remaining() or 0) <= 100
            assert 50 < (await between.remaining() or 0) <= 100
            assert 5 < (await between.remaining(10) or 0) <= 10
            async with within(1000):
                assert 50 < (await between.remaining(500) or 0) <= 100
            async with within(10):
                assert 5 < (await between.remaining(500) or 0) <= 10
        async with asyncio.timeout(100):
            assert await between.remaining() is None

    play(WIRING, main)


def test_what_expires_before_it_starts_is_dropped_and_counted(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        slow = world.ref(Slow, "slow")
        held = await busy(world, gate)
        async with within(0):
            await slow.note("too late")
        for limit in (LONG, LONG, 10 * LONG):  # the first two are over for everybody by then
            with pytest.raises(TimeoutError):
                async with within(limit):
                    await slow.ask("too late" if limit == LONG else "last")
        gate.open()
        await held
        return await slow.handled()

    assert "too late" not in play(WIRING, main)
    dropped = play.account("world", "slow/0")["dropped"]
    assert dropped["expired"] >= 1
    assert sum(dropped.values()) >= 3


def test_a_time_that_is_over_names_what_was_waited_for(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> set[str]:
        slow, said = world.ref(Slow, "slow"), set()
        held = await busy(world, gate)
        for limit in (0.005, 0.0053, 0.0057, 0.006) * 5:  # not all of them whole milliseconds
            with pytest.raises(TimeoutError) as caught:
                async with within(limit):
                    await slow.ask("too late")
            said.add(str(caught.value))
        gate.open()
        await held
        return said

    said = play(WIRING, main)

    assert said == {"slow/0: Slow.ask was not answered within the time given"}


def test_an_ask_inside_a_handler_ends_with_the_time_of_who_asked_it(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> tuple[str, list[Any]]:
        slow, between = world.ref(Slow, "slow"), world.ref(Between, "between")
        held = await busy(world, gate, until=2)
        with pytest.raises(TimeoutError):
            async with within(LONG):
                await between.ask("too late")
        pong = await between.ping()  # which is free again, though nobody has answered it
        for number in range(2):
            await between.note(number)
        gate.open()
        await held
        return pong, await slow.handled()

    assert play(WIRING, main) == ("here", [0, 1])


def test_a_handler_that_has_started_runs_to_its_end_though_its_time_is_over(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        slow, limit = world.ref(Slow, "slow"), LONG
        while not gate.is_reached:
            limit *= 2  # it may take longer to start on a machine with much to do
            with pytest.raises(TimeoutError):
                async with within(limit):
                    await slow.hold_and_note(gate.path, "to the end")
        gate.open()
        assert await slow.ask("next") == "next"
        return await slow.handled()

    assert play(WIRING, main) == ["to the end", "next"]


def test_a_call_that_is_cancelled_before_it_starts_is_dropped_and_counted(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        slow = world.ref(Slow, "slow")
        held = await busy(world, gate, until=4)
        calls = [asyncio.ensure_future(slow.ask(number)) for number in range(3)]
        await world.ref(Between, "between").ping()
        calls[1].cancel()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(LONG):
                await slow.ask("too late")
        for number in (3, 4):
            await slow.note(number)
        gate.open()
        await held
        with pytest.raises(asyncio.CancelledError):
            await calls[1]
        assert [await calls[0], await calls[2]] == [0, 2]
        return await slow.handled()

    assert play(WIRING, main) == [0, 2, 3, 4]
    assert play.account("world", "slow/0")["dropped"] == {"cancelled": 2}


def test_a_handler_whose_caller_is_cancelled_runs_to_its_end(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        slow = world.ref(Slow, "slow")
        call = asyncio.ensure_future(slow.hold_and_note(gate.path, "to the end"))
        await gate.reached()
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        gate.open()
        assert await slow.ask("next") == "next"
        return await slow.handled()

    assert play(WIRING, main) == ["to the end", "next"]
    assert play.account("world", "slow/0")["dropped"] == {}


def test_a_one_way_that_waits_for_room_waits_no_longer_than_it_may(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        slow = world.ref(Slow, "slow")
        held = await busy(world, gate)
        for number in range(2):
            await slow.note(number)
        with pytest.raises(TimeoutError):
            async with within(LONG):
                await slow.note("too late")
        gate.open()
        await held
        return await slow.handled()

    assert play({**WIRING, "run": {"messages": 2}}, main) == [0, 1]
    assert sum(play.account("world", "slow/0")["dropped"].values()) == 1


@needs("cut")
def test_a_call_that_is_cancelled_while_its_line_is_cut_is_dropped(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        slow = world.ref(Slow, "slow")
        await slow.ask("first")
        held = await busy(world, gate, until=2)
        gate.open()
        await play.hand.cut("slow/0")
        call = asyncio.ensure_future(slow.ask("cancelled"))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])  # or what is sent next might go ahead of the word of it
        for number in range(2):
            await slow.note(number)
        await held
        return await slow.handled()

    assert play(WIRING, main) == ["first", 0, 1]
    assert sum(play.account("world", "slow/0")["dropped"].values()) == 1
