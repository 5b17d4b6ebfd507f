"""Delivery: exactly once, in order for each sender and receiver, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually
from tests.conformance.players import Caller, Center
from tests.conformance.worlds import needs
from tether.runners.world import World

WIRING = {
    "center": {"actor": Center},
    "caller": {"actor": Caller, "center": "@center", "count": 2, "processes": 1},
}
LOADS = (None, bytes(10), bytes(3_000_000), bytes(100_000))
"""What goes with a message: nothing, little, and what goes on another way than that."""


async def all_handled(center: Center, many: int) -> list[Any]:
    """Wait until a center has handled so many messages; return them."""
    return await eventually(center.handled, lambda seen: len(seen) >= many)


def test_messages_are_handled_in_the_order_sent_whatever_their_kind_and_size(play: Play) -> None:
    async def main(world: World) -> list[int]:
        center = world.ref(Center, "center")
        calls: list[Coroutine[Any, Any, Any]] = []
        for number in range(60):
            send = center.ask if number % 5 == 0 else center.note
            calls.append(send(number, LOADS[number % 4]))
        await asyncio.gather(*calls)
        return await center.handled()

    seen = play(WIRING, main)

    assert seen == list(range(60))
    assert play.account("world", "center/0")["handled"] == 61


def test_each_sender_has_an_order_of_its_own(play: Play) -> None:
    async def main(world: World) -> list[Any]:
        first, second = world.group(Caller, "caller")
        center = world.ref(Center, "center")
        await asyncio.gather(
            first.note([f"a{k}" for k in range(100)]),
            second.note([f"b{k}" for k in range(100)], bytes(70_000)),
            *(center.ask(f"c{k}") for k in range(100)),
        )
        return await all_handled(center, 300)

    seen = play(WIRING, main)

    assert len(seen) == 300
    for sender in "abc":
        own = [item for item in seen if item.startswith(sender)]
        assert own == [f"{sender}{k}" for k in range(100)]


@needs("cut")
def test_broken_connections_lose_double_and_reorder_nothing(play: Play) -> None:
    async def main(world: World) -> list[Any]:
        first, second = world.group(Caller, "caller")
        center = world.ref(Center, "center")

        async def handled(many: int) -> list[Any]:
            return await eventually(
                center.handled, lambda seen: len(seen) >= many or play.hand.tally.restarts
            )

        async with asyncio.TaskGroup() as calls:
            calls.create_task(first.note([f"a{k}" for k in range(400)]))
            calls.create_task(second.note([f"b{k}" for k in range(150)], bytes(200_000)))
            for k in range(40):
                calls.create_task(center.ask(f"c{k}", LOADS[k % 4]))
            for actor in ("center/0", "caller/0", "center/0", "caller/1"):
                before = len(await center.handled())
                await play.hand.cut(actor)
                await handled(min(before + 50, 590))
        return await handled(590)

    seen = play(WIRING, main)

    assert play.hand.dead == set()
    assert len(seen) == 590
    for sender, many in (("a", 400), ("b", 150), ("c", 40)):
        own = [item for item in seen if item.startswith(sender)]
        assert own == [f"{sender}{k}" for k in range(many)]


def test_a_one_way_is_handed_over_before_it_is_handled(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        center = world.ref(Center, "center")
        held = asyncio.ensure_future(center.hold(gate.path))
        await gate.reached()
        await center.note("handed over")
        gate.open()
        await held
        return await center.handled()

    assert play(WIRING, main) == ["handed over"]


def test_the_latest_supersedes_those_of_its_sender_and_takes_its_own_later_place(
    play: Play,
) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        center, caller = world.ref(Center, "center"), world.ref(Caller, "caller/0")
        held = asyncio.ensure_future(center.hold(gate.path, 4))
        await gate.reached()
        gate.open()
        await caller.adopt("of another")
        for adopted, noted in (("old", 1), ("older", 2), ("new", None)):
            await center.adopt(adopted)
            if noted is not None:
                await center.note(noted)
        await held
        return await center.handled()

    seen = play(WIRING, main)

    seen.remove("of another")  # its place among the others is not promised
    assert seen == [1, 2, "new"]
    assert play.account("world", "center/0")["dropped"] == {"superseded": 2}
    assert play.account("caller/0", "center/0")["dropped"] == {}
