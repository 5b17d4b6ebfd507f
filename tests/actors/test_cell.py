"""An actor handles one message at a time, lives its own life beside, and survives its errors."""

from __future__ import annotations

import asyncio
import itertools
import logging
from functools import partial
from typing import Any

import pytest

from tests.actors.conftest import World, in_virtual_time, memory_world, until
from tether.actors import ActorGone, Group, RemoteError, batched, oneway, report
from tether.actors.cell import TURNS, Cell
from tether.actors.compute import off_loop
from tether.actors.link import Link
from tether.actors.message import Body, Kind, Message
from tether.actors.packet import Pair


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
    memory.cell("center/0").handles({})

    with pytest.raises(AttributeError, match="center/0 has no message echo"):
        await center.echo(1)


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


class Kept:
    """Notes for which rounds, and how far along, cells had their state kept."""

    def __init__(self, world: World) -> None:
        self.rounds: list[tuple[str, int, Any]] = []
        for node in world.each:
            node.keep = self.keep

    def keep(self, cell: Cell, cut: int) -> None:
        self.rounds.append((cell.name, cut, list(cell.actor.events)))


class Counter:
    """Counts steps of its life, and what comes."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.go = asyncio.Semaphore(0)
        self.asked = asyncio.Event()

    async def run(self) -> None:
        for step in range(1, 4):
            await self.go.acquire()
            self.events.append(step)
            report(step=step)

    async def note(self, value: Any) -> None:
        self.events.append(value)
        report(noted=1)

    async def down(self, peer: object, why: Exception) -> None:
        self.events.append(str(why))
        report(noted=1)

    @batched(max_size=8, max_wait=0)
    async def gather(self, values: list[int]) -> list[int]:
        self.events += values
        return values

    async def block(self) -> None:
        await self.asked.wait()


class Sender:
    """Sends on what it is told to."""

    def __init__(self, to: Any) -> None:
        self.to = to

    async def send(self, value: Any) -> None:
        await self.to.note(value)


async def test_a_state_is_kept_before_what_was_sent_after_its_senders_was(world: World) -> None:
    kept = Kept(world)
    counter = world.spawn("counter/0", Counter)
    sender = world.spawn("sender/0", lambda: Sender(counter), Sender, at="left")
    await sender.send("before")

    world.cell("sender/0").cut = 3
    await sender.send("after")
    await sender.send("later")

    assert kept.rounds == [("counter/0", 3, ["before"])]
    assert world.cell("counter/0").cut == 3


async def test_a_batch_with_one_that_was_sent_after_is_handled_after(memory: World) -> None:
    kept = Kept(memory)
    counter = memory.spawn("counter/0", Counter)
    cell = memory.cell("counter/0")
    blocked = asyncio.ensure_future(counter.block())
    await until(lambda: cell.current is not None)

    async def ask(value: int) -> int:
        answer: int = await counter.gather(value)
        return answer

    early = asyncio.ensure_future(ask(1))
    await until(lambda: len(cell.mailbox) == 1)
    memory.spawn("late/0", lambda: Script(partial(ask, 2)), Script, at="left")
    memory.cell("late/0").cut = 5
    memory.cell("late/0").live(lambda _name, _error: None)
    await until(lambda: len(cell.mailbox) == 2)
    memory.actor("counter/0").asked.set()
    await asyncio.gather(blocked, early)
    await memory.quiet()

    assert kept.rounds == [("counter/0", 5, [])]
    assert memory.actor("counter/0").events == [1, 2]


def from_nobody() -> Link:
    """Return a link with one who is not there, to whom nothing is ever said."""
    link = Link(bytearray, pair=Pair("counter/0", "script/0", 1, 1))
    link.parted = True
    return link


async def test_a_life_is_kept_only_at_its_own_reports(memory: World) -> None:
    kept = Kept(memory)
    counter = memory.spawn("counter/0", Counter)
    actor, cell = memory.actor("counter/0"), memory.cell("counter/0")
    ended = asyncio.Event()
    cell.live(lambda _name, _error: ended.set())
    cell.due = 2

    link = from_nobody()
    await counter.note("in a handler")
    cell.post(actor.down, None, ActorGone("center/0 is gone"))
    cell.keep_soon(2)
    await counter.note("after")
    sent_later = Message(Kind.TELL, 9, "note", Body(b"\x92\x91\x01\x80"), cut=2)
    cell.deliver(link, [sent_later])
    await until(lambda: 1 in actor.events)
    before = list(kept.rounds)
    for _ in range(3):
        actor.go.release()
    await ended.wait()

    told = ["in a handler", "center/0 is gone", "after", 1]
    assert before == []
    assert kept.rounds == [("counter/0", 2, [*told, 1])]


async def test_what_is_reported_from_a_lifes_thread_is_no_step(memory: World) -> None:
    class Busy(Counter):
        async def run(self) -> None:
            await off_loop(report, 1)
            self.events.append("thread")
            report(step=2)

    kept = Kept(memory)
    memory.spawn("busy/0", Busy)
    ended = asyncio.Event()
    memory.cell("busy/0").due = 1
    memory.cell("busy/0").live(lambda _name, _error: ended.set())
    await ended.wait()

    assert kept.rounds == [("busy/0", 1, ["thread"])]
    assert [step for _, step, _ in memory.reports] == [1, 2]


async def test_an_idle_state_is_kept_when_what_waits_is_handled(memory: World) -> None:
    kept = Kept(memory)
    counter = memory.spawn("counter/0", Counter)
    cell = memory.cell("counter/0")
    asks = [asyncio.ensure_future(counter.block())]
    asks += [asyncio.ensure_future(counter.note(n)) for n in range(3)]
    await until(lambda: len(cell.mailbox) == 3)

    cell.keep_soon(4)
    cell.keep_soon(4)
    memory.actor("counter/0").asked.set()
    await asyncio.gather(*asks)
    await memory.quiet()

    assert kept.rounds == [("counter/0", 4, [0, 1, 2])]


async def test_a_state_that_cannot_be_kept_costs_its_actor_nothing_else(
    memory: World, caplog: pytest.LogCaptureFixture
) -> None:
    def keep(cell: Cell, cut: int) -> None:
        raise OSError("the disk is full")

    memory.nodes["left"].keep = keep
    counter = memory.spawn("counter/0", Counter)
    cell = memory.cell("counter/0")
    link = from_nobody()

    cell.deliver(link, [Message(Kind.TELL, 9, "note", Body(b"\x92\x91\x01\x80"), cut=7)])
    await counter.note(2)

    assert memory.actor("counter/0").events == [1, 2]
    assert "counter/0: its state could not be kept in round 7" in caplog.text
    assert "the disk is full" in caplog.text


async def test_a_call_that_is_taken_back_before_the_actor_wakes_does_not_stop_it(
    memory: World,
) -> None:
    counter = memory.spawn("counter/0", Counter)
    cell = memory.cell("counter/0")
    link = from_nobody()
    await counter.note(1)

    cell.deliver(link, [Message(Kind.TELL, 9, "note", Body(b"\x92\x91\x02\x80"))])
    cell.withdraw(link, 9, "cancelled")
    await asyncio.sleep(0)

    await counter.note(3)
    assert memory.actor("counter/0").events == [1, 3]
    assert link.inward.ack.dropped == {"cancelled": 1}


async def test_who_leaves_ends_its_life_where_its_step_ends(memory: World) -> None:
    counter = memory.spawn("counter/0", Counter)
    actor, cell = memory.actor("counter/0"), memory.cell("counter/0")
    ended: list[BaseException | None] = []
    cell.live(lambda _name, error: ended.append(error))
    leaving = asyncio.ensure_future(cell.leave(60))
    await counter.note("a message goes on being handled")
    before = leaving.done(), list(ended)

    actor.go.release()
    await leaving

    assert before == (False, [])
    assert actor.events == ["a message goes on being handled", 1]
    assert isinstance(ended[0], asyncio.CancelledError)
    await counter.note("still")
    assert actor.events[-1] == "still"


def test_a_life_without_another_step_is_ended_after_so_many_seconds() -> None:
    async def main() -> tuple[float, bool]:
        world = memory_world()
        world.spawn("counter/0", Counter)
        cell = world.cell("counter/0")
        ended: list[BaseException | None] = []
        cell.live(lambda _name, error: ended.append(error))
        await cell.leave(3)
        seconds = asyncio.get_running_loop().time()
        await world.close()
        return seconds, isinstance(ended[0], asyncio.CancelledError)

    assert in_virtual_time(main()) == (3, True)


async def test_who_has_no_life_leaves_at_once(memory: World) -> None:
    memory.spawn("a/0", object)

    await memory.cell("a/0").leave(60)

    assert not memory.cell("a/0").lives


async def test_a_life_that_is_begun_again_after_leaving_goes_on_over_its_reports(
    memory: World,
) -> None:
    memory.spawn("counter/0", Counter)
    actor, cell = memory.actor("counter/0"), memory.cell("counter/0")
    cell.live(lambda _name, _error: None)
    await cell.leave(0)
    ended: list[BaseException | None] = []

    cell.live(lambda _name, error: ended.append(error))
    for _ in range(3):
        actor.go.release()
    await until(lambda: ended)

    assert actor.events == [1, 2, 3]
    assert ended == [None]


async def test_a_handler_that_takes_no_notice_of_its_end_does_not_hold_it_up(
    memory: World,
) -> None:
    class Stubborn:
        async def stay(self) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return

    stubborn = memory.spawn("stubborn/0", Stubborn)
    cell = memory.cell("stubborn/0")
    asked = asyncio.ensure_future(stubborn.stay())
    await until(lambda: cell.current is not None)

    await cell.stop()

    assert cell.stopped
    await asked


async def test_tasks_that_a_stopped_actor_left_behind_call_and_report_nothing(
    memory: World,
) -> None:
    go, left = asyncio.Event(), list[asyncio.Future[None]]()
    center = memory.spawn("center/0", Center)

    async def later() -> None:
        await go.wait()
        report(step=9)
        await center.tell("from a ghost")

    async def play() -> None:
        left.append(asyncio.ensure_future(later()))

    await memory.act(play)
    await memory.cell("script/0").stop()
    go.set()

    with pytest.raises(ActorGone, match="script/0 has ended, so what it left behind calls nobody"):
        await left[0]
    assert memory.reports == []
    assert memory.actor("center/0").events == []


async def test_an_actor_is_not_idle_while_an_errand_is_done(memory: World) -> None:
    memory.spawn("center/0", Center)
    cell = memory.cell("center/0")
    before = cell.idle, cell.doing
    cell.post(memory.actor("center/0").wait, "errand")
    await until(lambda: memory.actor("center/0").events)
    meanwhile = cell.idle, cell.doing

    memory.actor("center/0").open.set()
    await memory.quiet()

    assert (before, meanwhile) == ((True, ""), (False, "wait"))
    assert (cell.idle, cell.doing) == (True, "")
