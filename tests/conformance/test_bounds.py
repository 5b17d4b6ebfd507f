"""Bounds: a receiver holds so many messages and bytes for each sender; then the sender waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tests.conformance.conftest import Play
from tests.conformance.gates import Gate
from tests.conformance.players import Caller, Center
from tether.runners.world import World

WIRING = {
    "center": {"actor": Center},
    "caller": {"actor": Caller, "center": "@center"},
    "other": {"actor": Caller, "center": "@center", "beside": "caller"},
}
NARROW = {**WIRING, "run": {"bytes": 1_000_000}}
MESSAGES = 64
Note = tuple[Any, ...]
"""What is noted, and bytes that go with it."""


async def held(
    world: World, gate: Gate, many: int, then: Callable[[Center], Awaitable[Any]]
) -> tuple[int, list[Any]]:
    """Have a center held up by another until it is full; return how many waited, and all seen."""
    center = world.ref(Center, "center")
    busy = asyncio.ensure_future(world.ref(Caller, "caller").hold(gate.path, many))
    await gate.reached()
    await then(center)
    gate.open()
    return await busy, await center.handled()


async def nothing_more_is_under_way(world: World) -> None:
    """Wait for as long as a message takes there and back, a few times over."""
    for _ in range(5):
        await world.ref(Caller, "other").ping()


async def overfull(
    world: World, gate: Gate, fitting: Sequence[Note], more: Sequence[Note]
) -> tuple[list[bool], int, list[Any]]:
    """Have a center sent notes that it has room for, and more.

    Return whether each of the latter was taken before the center went on, how many notes waited
    for it then, and all that it has seen.
    """
    sending: list[asyncio.Future[None]] = []
    taken: list[bool] = []

    async def fill(center: Center) -> None:
        for note in fitting:
            await center.note(*note)
        sending.extend(asyncio.ensure_future(center.note(*note)) for note in more)
        await nothing_more_is_under_way(world)
        taken.extend(each.done() for each in sending)

    waited, _ = await held(world, gate, len(fitting), fill)
    await asyncio.gather(*sending)
    return taken, waited, await world.ref(Center, "center").handled()


def test_a_sender_waits_when_its_receiver_holds_a_window_of_messages(play: Play) -> None:
    gate = play.gate()
    notes = [(number,) for number in range(MESSAGES + 3)]

    taken, waited, seen = play(
        WIRING, lambda world: overfull(world, gate, notes[:MESSAGES], notes[MESSAGES:])
    )

    assert taken == [False] * 3
    assert waited == MESSAGES
    assert seen == list(range(MESSAGES + 3))


def test_a_full_window_of_one_sender_leaves_room_for_another(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> tuple[int, list[Any]]:
        async def fill(center: Center) -> None:
            for number in range(MESSAGES):
                await center.note(number)
            await world.ref(Caller, "other").note(["of another"])

        return await held(world, gate, MESSAGES + 1, fill)

    waited, seen = play(WIRING, main)

    assert waited == MESSAGES + 1
    assert sorted(seen, key=str) == sorted([*range(MESSAGES), "of another"], key=str)


def test_a_sender_waits_when_its_receiver_holds_a_window_of_bytes(play: Play) -> None:
    gate = play.gate()
    fits, more = ("fits", bytes(600_000)), [("does not", bytes(600_000)), ("stays behind it",)]

    taken, waited, seen = play(NARROW, lambda world: overfull(world, gate, [fits], more))

    assert (taken, waited) == ([False, False], 1)
    assert seen == ["fits", "does not", "stays behind it"]


def test_a_message_larger_than_the_window_is_let_in_alone(play: Play) -> None:
    gate = play.gate()
    large, more = ("large", bytes(3_000_000)), [("large too", bytes(3_000_000)), ("small",)]

    taken, waited, seen = play(NARROW, lambda world: overfull(world, gate, [large], more))

    assert (taken, waited) == ([False, False], 1)
    assert seen == ["large", "large too", "small"]


def test_asks_beyond_the_window_stay_with_their_callers(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> tuple[int, list[Any]]:
        async def fill(center: Center) -> None:
            asks.extend(
                asyncio.ensure_future(center.ask(number, bytes(400_000))) for number in range(5)
            )
            await nothing_more_is_under_way(world)
            asks.pop(3).cancel()  # it has not left, so nobody else has to hear of it
            await nothing_more_is_under_way(world)

        asks: list[asyncio.Future[Any]] = []
        waited, _ = await held(world, gate, 2, fill)
        assert await asyncio.gather(*asks) == [0, 1, 2, 4]
        return waited, await world.ref(Center, "center").handled()

    waited, seen = play(NARROW, main)

    assert waited == 2
    assert seen == [0, 1, 2, 4]
    assert play.account("world", "center/0")["dropped"] == {"cancelled": 1}


def test_answers_are_not_counted_for_their_ask_has_paid(play: Play) -> None:
    async def main(world: World) -> list[int]:
        center = world.ref(Center, "center")
        loads = await asyncio.gather(*(center.ask(bytes(900_000)) for _ in range(10)))
        return [len(load) for load in loads]

    assert play(NARROW, main) == [900_000] * 10
