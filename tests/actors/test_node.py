"""A node brings what comes to its actors, keeps their books, and tells who is gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.actors.conftest import World, in_virtual_time, memory_world, until
from tether.actors import ActorGone, Ref, Unreachable, oneway
from tether.actors.cell import Cell
from tether.actors.clock import SystemClock
from tether.actors.compression import CODECS, Way
from tether.actors.directory import Directory, Place
from tether.actors.frames import Origin
from tether.actors.link import Link
from tether.actors.node import Node
from tether.actors.press import Key, Presses
from tether.actors.words import Cancel


class Center:
    async def exchange(self, x: int) -> int:
        return x + 1

    @oneway
    async def note(self) -> None: ...


class Slow(Center):
    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def exchange(self, x: int) -> int:
        await self.open.wait()
        return x + 1


class Worker:
    def __init__(self, center: Ref[Center]) -> None:
        self.center = center
        self.told: list[tuple[Any, Exception]] = []

    async def go(self) -> int:
        return await self.center.exchange(1)

    async def idle(self) -> None: ...

    async def down(self, peer: Ref[Center], why: Exception) -> None:
        self.told.append((peer, why))


async def test_who_spoke_to_one_that_died_is_told(world: World) -> None:
    center = world.spawn("center/0", Center)
    worker = world.spawn("worker/0", lambda: Worker(center), Worker, at="left")
    world.spawn("worker/1", lambda: Worker(center), Worker, at="left")
    await worker.go()
    await world.quiet()

    world.nodes["left"].down("center/0", "killed by signal 9")
    await until(lambda: world.actor("worker/0").told)

    ((peer, why),) = world.actor("worker/0").told
    assert peer == center
    assert isinstance(why, ActorGone)
    assert (str(why), why.actor) == ("center/0 is gone: killed by signal 9", "center/0")
    assert world.actor("worker/1").told == []


async def test_who_spoke_to_an_earlier_incarnation_is_told_of_the_next_death_too(
    world: World,
) -> None:
    center = world.spawn("center/0", Center)
    worker = world.spawn("worker/0", lambda: Worker(center), Worker, at="left")
    await worker.go()
    node = world.nodes["left"]
    place = node.directory.place("center/0")

    node.down("center/0", "killed by signal 9")
    node.up("center/0", replace(place, incarnation=2))
    node.down("center/0", "killed by signal 11")
    await until(lambda: len(world.actor("worker/0").told) == 2)

    told = [str(why) for _, why in world.actor("worker/0").told]
    assert told == ["center/0 is gone: killed by signal 9", "center/0 is gone: killed by signal 11"]


async def test_a_next_incarnation_is_news_of_a_death_nobody_told(world: World) -> None:
    center = world.spawn("center/0", Center)
    worker = world.spawn("worker/0", lambda: Worker(center), Worker, at="left")
    await worker.go()
    node = world.nodes["left"]

    node.up("center/0", replace(node.directory.place("center/0"), incarnation=2))
    await until(lambda: world.actor("worker/0").told)

    assert str(world.actor("worker/0").told[0][1]) == "center/0 is gone: it was started anew"


async def test_who_spoke_to_one_of_whom_nothing_is_heard_is_told(world: World) -> None:
    center = world.spawn("center/0", Center)
    worker = world.spawn("worker/0", lambda: Worker(center), Worker, at="left")
    await worker.go()
    node = world.nodes["left"]

    node.unreachable("center/0", "nothing heard for 5 s")
    await until(lambda: world.actor("worker/0").told)

    ((peer, why),) = world.actor("worker/0").told
    assert peer == center
    assert isinstance(why, Unreachable)
    assert str(why) == "center/0 is unreachable: nothing heard for 5 s"
    assert await worker.go() == 2


async def test_nobody_is_told_of_its_own_death(memory: World) -> None:
    center = memory.spawn("center/0", Center)
    memory.spawn("worker/0", lambda: Worker(center), Worker)
    memory.actor("worker/0").center = memory.ref("worker/0")
    node = memory.nodes["left"]
    node.switch.link("worker/0", "worker/0")

    node.unreachable("worker/0", "nothing heard for 5 s")
    await memory.ref("worker/0").idle()

    assert memory.actor("worker/0").told == []


async def test_an_ask_to_an_actor_that_does_not_run_here_fails_and_is_booked(world: World) -> None:
    world.spawn("center/0", Center)
    process = world.nodes["right"].origin.process
    for node in world.each:
        node.directory.add("center/1", Place(process, Center))

    async def play() -> None:
        await world.ref("center/1").note()
        await world.ref("center/1").exchange(1)

    with pytest.raises(ActorGone, match=rf"center/1 does not run in {process}"):
        await world.act(play)
    await world.quiet()

    assert world.books("script/0", "center/1")["dropped"] == {"absent": 2}


async def test_an_actor_is_made_as_itself(memory: World) -> None:
    class Curious:
        def __init__(self) -> None:
            from tether.actors.context import acting

            here = acting.get()
            self.name = here.cell.name if here else None

    memory.spawn("curious/0", Curious)

    assert memory.actor("curious/0").name == "curious/0"


async def test_an_actor_that_cannot_be_made_says_why_and_is_not_there(memory: World) -> None:
    def make() -> object:
        raise ValueError("alpha is 2")

    with pytest.raises(ValueError, match="alpha is 2"):
        memory.spawn("center/0", make)

    assert "center/0" not in memory.nodes["left"].cells


async def test_books_name_sender_and_receiver(world: World) -> None:
    center = world.spawn("center/0", Center)
    await world.act(lambda: center.exchange(1))
    await world.quiet()

    books = world.books("script/0", "center/0")

    assert books.pop("bytes") > 64
    assert books == {
        "from": "script/0", "to": "center/0", "sent": 1, "handled": 1, "dropped": {}, "unknown": 0,
        "in_flight": 0, "late": 0,
    }  # fmt: skip


async def test_a_node_is_quiet_when_nothing_is_under_way(world: World) -> None:
    center = world.spawn("center/0", Center)
    before = all(node.quiet for node in world.each)
    call = asyncio.ensure_future(center.exchange(1))
    await asyncio.sleep(0)
    meanwhile = all(node.quiet for node in world.each)

    await call
    await world.quiet()

    assert (before, meanwhile) == (True, False)


async def test_a_node_without_a_transport_cannot_speak_to_another_process(
    memory: World,
) -> None:
    memory.nodes["left"].directory.add("far/0", Place("elsewhere", Center))

    with pytest.raises(RuntimeError, match="far/0 lives in elsewhere, but home has no transport"):
        await memory.ref("far/0").exchange(1)


async def test_reports_to_nobody_are_no_error(memory: World) -> None:
    from tether.actors.node import nowhere

    nowhere("a/0", None, {"loss": 1.0})


def test_nobodys_state_is_kept_where_nobody_keeps_any() -> None:
    from tether.actors.node import nothing_kept

    async def main() -> int:
        world = memory_world()
        world.spawn("center/0", Center)
        cell = world.cell("center/0")
        cell.keep(3)
        nothing_kept(cell, 4)
        await world.close()
        return cell.cut

    assert in_virtual_time(main()) == 3


async def test_an_actor_is_settled_when_nothing_waits_for_it_or_is_under_way_from_it(
    world: World,
) -> None:
    center = world.spawn("center/0", Slow)
    worker = world.spawn("worker/0", lambda: Worker(center), Worker, at="left")
    asked = asyncio.ensure_future(worker.go())
    await until(lambda: world.cell("center/0").current)
    node = world.nodes["left"]
    meanwhile = node.settled("worker/0"), world.nodes["right"].settled("center/0")

    world.actor("center/0").open.set()

    assert await asked == 2
    await until(lambda: node.settled("worker/0"))
    assert meanwhile == (False, False)


async def test_a_word_of_a_dead_incarnation_takes_no_call_of_the_next_one_back(
    memory: World,
) -> None:
    center = memory.spawn("center/0", Slow)
    asks = [asyncio.ensure_future(center.exchange(n)) for n in range(3)]
    cell, node = memory.cell("center/0"), memory.nodes["left"]
    await until(lambda: len(cell.mailbox) == 2)
    source = node.origin.process
    link = node.switch.link("center/0", source)
    second, third = [n for n in range(20) if link_holds(cell, link, n)]

    node.word(Cancel(source, "center/0", 9, 1, second))
    node.word(Cancel(source, "center/0", 1, 1, third))
    memory.actor("center/0").open.set()
    answers = await asyncio.gather(*asks, return_exceptions=True)

    assert answers[:2] == [1, 2]
    assert str(answers[2]).startswith("the call was cancelled before it was handled")


def link_holds(cell: Cell, link: Link, number: int) -> bool:
    """Whether a call of this number waits, which came over a link."""
    message = cell.mailbox.remove(link, number)
    if message is not None:
        cell.deliver(link, [message])
    return message is not None


async def test_an_actor_that_is_buried_leaves_nothing_that_it_had_not_sent(world: World) -> None:
    world.spawn("center/0", Center)
    node = world.nodes["right"]
    presses = node.calls.presses = Presses({}, SystemClock(), node.pool.take)
    for source in ("center/0", "worker/0"):
        presses.residuals[Key(source, "other/0", "exchange", 0)] = torch.zeros(1)

    await node.bury("center/0")

    assert [key.source for key in presses.residuals] == ["worker/0"]


def test_a_node_without_codecs_has_no_press() -> None:
    async def presses() -> list[Presses | None]:
        ways = {("a", "b"): Way(CODECS["bf16"])}
        nodes = [Node(Origin("run", "home", 1), Directory({}), ways=each) for each in ({}, ways)]
        return [node.calls.presses for node in nodes]

    without, with_one = asyncio.run(presses())

    assert without is None
    assert with_one is not None
