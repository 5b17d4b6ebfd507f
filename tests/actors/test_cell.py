"""An actor handles one message at a time, lives its own life beside, and survives its errors."""

from __future__ import annotations

import asyncio
import itertools
import logging
from functools import partial
from typing import Any

import pytest

from tests.actors.conftest import World, in_virtual_time, memory_world, until
from tether.actors import CallCycle, Group, RemoteError, oneway, report
from tether.actors.cell import TURNS


class Center:
    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.events: list[str] = []
        self.lived = 0

    async def wait(self, name: str) -> str:
        self.events.append(f"{name} starts")
        await self.open.wait()
        self.events.append(f"{name} ends")
        return name

    async def echo(self, value: Any) -> Any:
        return value

    @oneway
    async def tell(self, name: str) -> None:
        self.events.append(name)

    async def fail(self, kind: str) -> None:
        if kind == "own":
            raise OwnError("of its own kind")
        if kind == "cancelled":
            raise asyncio.CancelledError
        raise KeyError("no such x")

    @oneway
    async def fail_quietly(self) -> None:
        raise ValueError("nobody waits for this")

    async def run(self) -> None:
        while True:
            self.lived += 1
            await asyncio.sleep(0.001)


class OwnError(Exception):
    pass


async def test_a_second_message_does_not_start_while_the_first_waits(world: World) -> None:
    center = world.spawn("center/0", Center)
    actor = world.actor("center/0")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(center.wait("first"))
        tasks.create_task(center.wait("second"))
        await until(lambda: world.cell("center/0").mailbox)
        started = list(actor.events)
        actor.open.set()

    assert started == ["first starts"]
    assert actor.events == ["first starts", "first ends", "second starts", "second ends"]


async def test_its_own_life_goes_on_while_a_handler_waits(world: World) -> None:
    center = world.spawn("center/0", Center)
    actor = world.actor("center/0")
    world.cell("center/0").live(lambda _name, _error: None)
    waiting = asyncio.ensure_future(center.wait("first"))
    await until(lambda: actor.events)
    before = actor.lived

    await until(lambda: actor.lived > before + 2)

    assert actor.events == ["first starts"]
    actor.open.set()
    assert await waiting == "first"


async def test_an_error_comes_home_as_itself_with_where_it_happened(world: World) -> None:
    center = world.spawn("center/0", Center)

    async def play() -> None:
        await center.fail("built-in")

    with pytest.raises(KeyError, match="no such x") as caught:
        await world.act(play)

    where, trace = caught.value.__notes__
    assert where == "in center/0 on host right, Center.fail, called by script/0"
    assert trace.startswith("the remote traceback:\nTraceback")
    assert "KeyError: 'no such x'" in trace


async def test_an_error_of_another_type_comes_home_as_a_remote_error(world: World) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(RemoteError, match=r"test_cell\.OwnError: of its own kind$"):
        await center.fail("own")


@pytest.mark.parametrize("kind", ["built-in", "own", "cancelled"])
async def test_an_actor_lives_on_after_its_handler_raised(world: World, kind: str) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises((KeyError, RemoteError)):
        await center.fail(kind)

    assert await center.echo(1) == 1


async def test_a_one_way_that_fails_is_logged_and_booked_as_handled(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    center = world.spawn("center/0", Center)

    await world.act(center.fail_quietly)
    await world.quiet()

    assert world.books("script/0", "center/0")["handled"] == 1
    assert "center/0: Center.fail_quietly, sent by script/0, failed" in caplog.text


async def test_its_life_says_how_it_ended(memory: World) -> None:
    ended: list[BaseException | None] = []

    async def fails() -> None:
        raise ValueError("diverged")

    async def returns() -> None:
        return

    for name, play in (("a/0", fails), ("b/0", returns)):
        memory.spawn(name, partial(Script, play))
        memory.cell(name).live(lambda _name, error: ended.append(error))
    await until(lambda: len(ended) == 2)

    assert [repr(error) for error in ended] == ["ValueError('diverged')", "None"]


class Script:
    def __init__(self, run: Any) -> None:
        self.run = run


async def test_an_actor_without_a_life_says_so(memory: World) -> None:
    memory.spawn("a/0", object)

    assert not memory.cell("a/0").live(lambda _name, _error: None)


async def test_a_life_that_is_stopped_ends_cancelled_and_messages_are_still_handled(
    memory: World,
) -> None:
    center = memory.spawn("center/0", Center)
    cell = memory.cell("center/0")
    ended: list[BaseException | None] = []
    cell.live(lambda _name, error: ended.append(error))
    cell.executor()

    await cell.stop_life()

    assert isinstance(ended[0], asyncio.CancelledError)
    assert await center.echo(2) == 2


async def test_an_errand_is_done_between_messages_and_its_failure_is_logged(
    memory: World, caplog: pytest.LogCaptureFixture
) -> None:
    center = memory.spawn("center/0", Center)
    done: list[int] = []

    async def note(value: int) -> None:
        done.append(value)
        raise ValueError("what an errand says")

    memory.cell("center/0").post(note, 3)

    assert await center.echo(1) == 1
    assert done == [3]
    assert "note failed" in caplog.text
    assert "what an errand says" in caplog.text


async def test_an_errand_that_is_cancelled_does_not_end_its_actor(memory: World) -> None:
    center = memory.spawn("center/0", Center)

    async def cancelled() -> None:
        raise asyncio.CancelledError

    memory.cell("center/0").post(cancelled)

    assert await center.echo(1) == 1


async def test_a_message_nobody_knows_fails_at_its_caller(memory: World) -> None:
    memory.spawn("center/0", Center)
    center = memory.ref("center/0")
    handler = center.echo.args[2]
    memory.cell("center/0").handlers = {}

    with pytest.raises(AttributeError, match="center/0 has no message echo"):
        await memory.nodes["left"].calls.call("center/0", handler, (1,), {})


async def test_of_one_sender_only_the_latest_is_kept_and_takes_the_later_place(
    world: World,
) -> None:
    receiver = world.spawn("receiver/0", Receiver)
    actor = world.actor("receiver/0")

    async def play() -> None:
        await receiver.block()
        for x in range(5):
            await receiver.latest(x)
            if x == 2:
                await receiver.note("between")
        await receiver.note("after")

    world.start(play)
    other = "other/0"
    world.start(lambda: receiver.latest(100), other)
    await world.end()
    await world.end(other)
    await until(lambda: world.books("script/0", "receiver/0")["dropped"].get("superseded") == 4)
    actor.open.set()
    await world.quiet()

    assert [x for x in actor.came if x != 100] == ["between", 4, "after"]
    assert 100 in actor.came
    books = world.books("script/0", "receiver/0")
    assert books["dropped"] == {"superseded": 4}
    assert books["sent"] == 8
    assert books["handled"] == 4


class Receiver:
    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.blocked = False
        self.came: list[Any] = []

    @oneway
    async def block(self) -> None:
        self.blocked = True
        await self.open.wait()

    @oneway(keep="latest")
    async def latest(self, x: int) -> None:
        self.came.append(x)

    @oneway
    async def note(self, text: str) -> None:
        self.came.append(text)


class Ring:
    """Handlers and a life that call on, as a test says."""

    def __init__(self, following: Any = None) -> None:
        self.following = following

    async def around(self, hops: int) -> int:
        return 0 if hops == 0 else 1 + await self.following.around(hops - 1)


def ring(world: World, size: int) -> Any:
    sides = ("left", "right")
    for i in range(size):
        world.spawn(f"ring/{i}", Ring, at=sides[i % 2])
    for i in range(size):
        world.actor(f"ring/{i}").following = world.ref(f"ring/{(i + 1) % size}", sides[i % 2])
    return world.ref("ring/0")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_handlers_that_wait_for_each_other_in_a_ring_are_told_after_a_second(size: int) -> None:
    async def main() -> float:
        world = memory_world()
        first = ring(world, size)
        loop = asyncio.get_running_loop()
        names = " → ".join(f"ring/{i % size}" for i in range(size + 1))
        with pytest.raises(CallCycle, match=f"handlers wait in a ring: {names}"):
            await first.around(size)
        seconds = loop.time()
        assert await first.around(size - 1) == size - 1
        assert world.books(f"ring/{size - 1}", "ring/0")["dropped"] == {"cycle": 1}
        await world.close()
        return seconds

    assert 1 <= in_virtual_time(main()) < 1.1


async def test_a_ring_over_processes_is_told_too(world: World) -> None:
    first = ring(world, 2)

    with pytest.raises(CallCycle, match="handlers wait in a ring: ring/0 → ring/1 → ring/0"):
        await first.around(2)


def test_a_handler_that_goes_on_in_time_breaks_the_ring_itself() -> None:
    async def main() -> int:
        world = memory_world()
        inner = world.spawn("inner/0", Inner)
        outer = world.spawn("outer/0", lambda: Outer(inner), Outer)
        world.actor("inner/0").outer = outer
        value: int = await outer.both()
        await asyncio.sleep(2)
        await world.close()
        return value

    assert in_virtual_time(main()) == 7


class Inner:
    outer: Any

    async def ask_back(self) -> int:
        value: int = await self.outer.seven()
        return value


class Outer:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def both(self) -> int:
        answer = asyncio.ensure_future(self.inner.ask_back())
        await asyncio.sleep(0.5)
        self.answer = answer
        return 7

    async def seven(self) -> int:
        return 7


async def test_what_a_life_asks_may_come_back_to_its_actor(world: World) -> None:
    other = world.spawn("other/0", Ring)

    async def play() -> int:
        value: int = await other.around(1)
        return value

    world.spawn("me/0", Ring, at="left")
    world.actor("me/0").play = play
    world.actor("other/0").following = world.ref("me/0", "right")
    value = await world.act(play)

    assert value == 1


async def test_a_flood_of_messages_leaves_the_loop_its_turns(memory: World) -> None:
    center = memory.spawn("center/0", Center)
    actor, loop = memory.actor("center/0"), asyncio.get_running_loop()
    seen: list[int] = []

    def look() -> None:
        seen.append(len(actor.events))
        if seen[-1] < 2000:
            loop.call_soon(look)

    async def flood() -> None:
        for _ in range(2000):
            await center.tell("x")

    loop.call_soon(look)
    await memory.act(flood)
    await memory.quiet()

    assert max(b - a for a, b in itertools.pairwise(seen)) <= TURNS


async def test_a_report_is_recorded_under_the_actors_name(world: World) -> None:
    async def play() -> None:
        report(step=3, loss=0.5)

    await world.act(play)

    assert world.reports == [("script/0", 3, {"loss": 0.5})]


async def test_actors_of_one_seed_draw_the_same_and_differ_from_each_other(memory: World) -> None:
    drawn = []
    for name in ("a/0", "b/0"):
        memory.spawn(name, Center)
        drawn.append(memory.cell(name).random.random())
    again = memory_world()
    again.spawn("a/0", Center)
    drawn.append(again.cell("a/0").random.random())

    assert drawn[0] == drawn[2]
    assert drawn[0] != drawn[1]
    await again.close()


async def test_a_stopped_actor_gives_up_its_thread_and_what_waited_in_it(memory: World) -> None:
    memory.spawn("center/0", Center)
    cell = memory.cell("center/0")
    thread = cell.executor()

    await cell.stop()

    with pytest.raises(RuntimeError, match="shutdown"):
        thread.submit(logging.getLogger)


async def test_a_group_of_itself_is_no_cycle_when_nobody_waits(world: World) -> None:
    center = world.spawn("center/0", Center)

    assert await Group([center]).map(Center.echo, 1) == [1]
