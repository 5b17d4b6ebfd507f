"""Deaths: what becomes of the messages of the dead, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.gates import Gate, eventually, until
from tests.conformance.mortals import Mortal, Mourner, Sender, Watcher
from tests.conformance.players import Center
from tests.conformance.worlds import needs
from tether.actors import ActorGone
from tether.runners.world import World

WHY = {
    "crash": "ValueError: its time has come",
    "kill": "its process was killed by SIGKILL",
}


def wiring(play: Play, **more: Any) -> dict[str, Any]:
    """Return a wiring of a mortal and more."""
    return {"mortal": {"actor": Mortal, "me": "@me", "folder": str(play.folder)}, **more}


async def killed_amid(
    play: Play, world: World, gate: Gate, death: str, send: Callable[[Mortal, int], Awaitable[Any]]
) -> tuple[ActorGone, list[Any]]:
    """Have a mortal die in an ask, behind which three messages wait for it, and three for room.

    Return what the ask raised, and what became of the six that were sent behind it.
    """
    mortal = world.ref(Mortal, "mortal")
    started = asyncio.ensure_future(mortal.hold(gate.path, 3))
    await asyncio.sleep(0)
    behind = [asyncio.ensure_future(send(mortal, number)) for number in range(6)]
    await gate.reached()
    play.hand.end("mortal/0", death)
    with pytest.raises(ActorGone) as caught:
        await started
    return caught.value, await asyncio.gather(*behind)


def test_asks_that_had_not_started_wait_for_the_next_incarnation_and_one_that_had_fails(
    play: Play, death: str
) -> None:
    gate = play.gate()

    async def main(world: World) -> tuple[ActorGone, list[Any]]:
        return await killed_amid(play, world, gate, death, lambda mortal, n: mortal.ask(n))

    error, answers = play({**wiring(play), "run": {"messages": 4}}, main)

    assert error.actor == "mortal/0"
    assert str(error) == f"mortal/0 is gone: {WHY[death]}; what became of Mortal.hold is unknown"
    assert answers == [(number, 2) for number in range(6)]
    account = play.account("world", "mortal/0")
    assert (account["sent"], account["handled"], account["unknown"]) == (7, 6, 1)


def test_a_call_to_one_who_is_dead_waits_for_its_return(play: Play, death: str) -> None:
    async def main(world: World) -> tuple[Any, list[Any]]:
        mortal = world.ref(Mortal, "mortal")
        assert await mortal.ask("before") == ("before", 1)
        play.hand.end("mortal/0", death)
        await until(lambda: play.hand.has_ended("mortal/0", 1))
        await mortal.note("a one-way")
        return await mortal.ask("an ask"), await mortal.handled()

    answer, seen = play(wiring(play), main)

    assert answer == ("an ask", 2)
    assert seen == ["a one-way", "an ask"]


def test_one_ways_on_their_way_are_not_redone_and_those_that_wait_for_room_go_on(
    play: Play, death: str
) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        await killed_amid(play, world, gate, death, lambda mortal, n: mortal.note(n))
        return await world.ref(Mortal, "mortal").handled()

    seen = play({**wiring(play), "run": {"messages": 4}}, main)

    assert seen == [3, 4, 5]
    account = play.account("world", "mortal/0")
    assert (account["sent"], account["handled"], account["unknown"]) == (8, 4, 4)


def test_what_the_dead_had_sent_comes_in_order_and_once_or_not_at_all(
    play: Play, death: str
) -> None:
    tables = wiring(play)
    tables["center"] = {"actor": Center}
    tables["sender"] = {**tables.pop("mortal"), "actor": Sender, "center": "@center"}

    async def main(world: World) -> list[Any]:
        sender, center = world.ref(Sender, "sender"), world.ref(Center, "center")
        sending = asyncio.ensure_future(sender.send_for_ever())
        await eventually(center.handled, lambda seen: len(seen) >= 20)
        play.hand.end("sender/0", death)
        with pytest.raises(ActorGone):
            await sending
        await sender.send(["again", "and again"])
        return await eventually(center.handled, lambda seen: seen[-1] == "and again")

    seen = play(tables, main)

    assert seen[-2:] == ["again", "and again"]
    assert seen[:-2] == [[1, number] for number in range(len(seen) - 2)]
    assert play.account("sender/0", "center/0")["handled"] == len(seen)


@needs("kill", "block")
def test_who_is_busy_outlives_one_who_dies_while_it_sends_much(play: Play) -> None:
    gate = play.gate()
    tables = wiring(play)
    tables["center"] = {"actor": Center}
    tables["sender"] = {**tables.pop("mortal"), "actor": Sender, "center": "@center"}

    async def main(world: World) -> list[Any]:
        sender, center = world.ref(Sender, "sender"), world.ref(Center, "center")
        busy = asyncio.ensure_future(center.block(gate.path))
        await gate.reached()
        await sender.send(list(range(15)), 3_000_000)
        for _ in range(100):  # in which the sockets between them come to be full
            await sender.who()
        play.hand.kill("sender/0")
        await until(lambda: play.hand.returns("sender/0"))
        gate.open()
        await busy
        await sender.send(["again"])
        return await eventually(center.handled, lambda seen: "again" in seen)

    seen = play(tables, main)

    assert seen == [*range(len(seen) - 1), "again"]
    assert play.hand.dead == {"sender/0"}


def test_an_ask_of_the_dead_runs_to_its_end_and_its_answer_goes_nowhere(
    play: Play, death: str
) -> None:
    gate = play.gate()
    tables = wiring(play)
    tables["center"] = {"actor": Center}
    tables["sender"] = {**tables.pop("mortal"), "actor": Sender, "center": "@center"}

    async def main(world: World) -> Any:
        sender, center = world.ref(Sender, "sender"), world.ref(Center, "center")
        asking = asyncio.ensure_future(sender.ask(gate.path))
        await gate.reached()
        play.hand.end("sender/0", death)
        with pytest.raises(ActorGone):
            await asking
        gate.open()
        await sender.send(["again"])
        await eventually(center.handled, lambda seen: "again" in seen)
        return await sender.who()

    assert play(tables, main) == 2


def test_who_has_spoken_with_the_dead_is_told(play: Play, death: str) -> None:
    watchers = {"actor": Watcher, "count": 2, "processes": 1}

    async def main(world: World) -> list[list[Any]]:
        mortal, watchers = world.ref(Mortal, "mortal"), world.group(Watcher, "watcher")
        assert await watchers[0].speak_with(mortal) == 1
        play.hand.end("mortal/0", death)
        await eventually(watchers[0].was_told)
        await until(lambda: play.hand.returns("mortal/0"))
        assert await watchers[0].speak_with(mortal) == 2
        return await watchers.map(Watcher.was_told)

    told = play(wiring(play, watcher=watchers), main)

    assert told == [[("<Ref mortal/0>", "ActorGone", f"mortal/0 is gone: {WHY[death]}")], []]


def test_a_life_ended_by_the_death_of_another_begins_again_on_the_same_object(
    play: Play, death: str
) -> None:
    gates = play.gate(), play.gate()
    tables = wiring(play)
    tables["mortal"] |= {"count": 2, "processes": 1}
    tables["mourner"] = {
        "actor": Mourner, "mortal": "@mortal[=]", "gates": [gate.path for gate in gates],
        "index": "$index", "count": 2, "processes": 1, "max_restarts": 0,
    }  # fmt: skip

    async def main(world: World) -> list[tuple[int, int]]:
        mourners = world.group(Mourner, "mourner")
        for gate in gates:
            await gate.reached()
        for mortal in ("mortal/0", "mortal/1") if death == "crash" else ("mortal/0",):
            play.hand.end(mortal, death)
        return await eventually(
            lambda: mourners.map(Mourner.lived), lambda lived: min(lived)[0] == 2
        )

    assert play(tables, main) == [(2, 1), (2, 1)]
    assert play.hand.returns("mourner/0") == play.hand.returns("mourner/1") == []
