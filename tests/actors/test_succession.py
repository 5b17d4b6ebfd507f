"""Nothing waits for the dead; what had not begun is handled by who follows, once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.actors.conftest import (
    SIDES,
    World,
    in_virtual_time,
    joined_over,
    lossy_world,
    memory_world,
    until,
)
from tests.actors.deaths import Deaths
from tests.actors.lines import UNIX
from tether.actors import ActorGone, CallCycle, buffer, oneway, within
from tether.actors.buffers import lent
from tether.actors.packet import Window

UNKNOWN = "center/0 is gone: killed by signal 9; what became of Center.{} is unknown"


class Center:
    """Holds what comes until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.got: list[Any] = []
        self.given: Any = None

    async def echo(self, value: Any) -> Any:
        self.got.append(value)
        return value

    async def hold(self, value: Any = None) -> Any:
        self.given = value
        await self.open.wait()
        return value

    @oneway
    async def tell(self, value: Any) -> None:
        self.got.append(value)


class Mortal:
    """A world whose center dies, and comes back, in one of three ways."""

    def __init__(self, world: World, killed: bool) -> None:
        self.world = world
        self.deaths = Deaths(world)
        self.killed = killed
        self.center = world.spawn("center/0", Center)
        self._names: list[str] = []

    @property
    def actor(self) -> Center:
        found: Center = self.world.actor("center/0")
        return found

    async def held(self, waiting: int) -> None:
        """Wait until the center handles one message and so many wait there."""
        cell = self.world.cell("center/0")
        await until(lambda: cell.current is not None and len(cell.mailbox) == waiting)

    async def die(self, *, known: bool = True, final: bool = False) -> None:
        if self.killed:
            self._names = await self.deaths.kill("right")
        else:
            await self.deaths.bury("center/0")
            self._names = ["center/0"]
        self.deaths.down(*self._names, known=known, final=final)

    async def come_back(self) -> None:
        if self.killed:
            await self.deaths.revive("right")
        else:
            self.world.nodes["right"].spawn("center/0", Center)
            self.deaths.up("center/0")

    def books(self) -> dict[str, Any]:
        return self.world.books("script/0", "center/0")


@pytest.fixture(params=["in one process", "in place", "killed"])
async def make_mortal(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Any]:
    """What makes a center that dies in its living process, ours or another, or with its process."""
    made: list[World] = []

    async def make(window: Window | None = None) -> Mortal:
        one = request.param == "in one process"
        made.append(memory_world(window) if one else await joined_over(UNIX, folder, window))
        return Mortal(made[-1], request.param == "killed")

    yield make
    for world in made:
        await world.close()


@pytest.fixture
async def mortal(make_mortal: Any) -> Mortal:
    """A center with the usual window."""
    made: Mortal = await make_mortal()
    return made


async def test_what_had_started_fails_and_what_waited_is_answered_by_who_follows(
    mortal: Mortal,
) -> None:
    center = mortal.center

    async def play() -> tuple[list[Any], list[Any]]:
        held = asyncio.ensure_future(center.hold(0))
        queued = [asyncio.ensure_future(center.echo(n)) for n in range(1, 4)]
        await mortal.held(3)
        await mortal.die()
        later = [asyncio.ensure_future(center.echo(n)) for n in range(4, 7)]
        failed = await asyncio.gather(held, return_exceptions=True)
        assert not any(ask.done() for ask in [*queued, *later])
        await mortal.come_back()
        return list(failed), list(await asyncio.gather(*queued, *later))

    (failed,), answers = await mortal.world.act(play)
    await mortal.world.quiet()

    assert isinstance(failed, ActorGone)
    assert (str(failed), failed.actor) == (UNKNOWN.format("hold"), "center/0")
    assert answers == mortal.actor.got == [1, 2, 3, 4, 5, 6]
    books = mortal.books()
    assert (books["sent"], books["handled"], books["unknown"]) == (7, 6, 1)
    assert (books["dropped"], books["in_flight"]) == ({}, 0)
    mortal.deaths.agree()


async def test_what_had_not_left_waits_asks_and_one_ways_in_their_order(make_mortal: Any) -> None:
    mortal = await make_mortal(Window(messages=2))
    center = mortal.center

    async def play() -> list[Any]:
        sends = [asyncio.ensure_future(center.hold(0))]
        sends += [
            asyncio.ensure_future(center.tell(n) if n % 2 else center.echo(n)) for n in range(1, 8)
        ]
        await mortal.held(1)
        await mortal.die()
        sends += [asyncio.ensure_future(center.tell(8))]
        await mortal.come_back()
        return list(await asyncio.gather(*sends, return_exceptions=True))

    held, *rest = await mortal.world.act(play)
    await mortal.world.quiet()

    assert isinstance(held, ActorGone)
    assert rest == [None, 2, None, 4, None, 6, None, None]
    assert mortal.actor.got == [2, 3, 4, 5, 6, 7, 8]  # the one-way 1 had left, and is unknown
    books = mortal.books()
    assert (books["sent"], books["handled"], books["unknown"]) == (9, 7, 2)
    mortal.deaths.agree()


async def test_without_a_journal_all_that_had_left_is_unknown(make_mortal: Any) -> None:
    mortal = await make_mortal(Window(messages=2))
    center = mortal.center

    async def play() -> list[Any]:
        asks = [asyncio.ensure_future(center.hold(0))]
        asks += [asyncio.ensure_future(center.echo(n)) for n in range(1, 4)]
        await mortal.held(1)
        await mortal.die(known=False)
        await mortal.come_back()
        return list(await asyncio.gather(*asks, return_exceptions=True))

    answers = await mortal.world.act(play)
    await mortal.world.quiet()

    texts = [UNKNOWN.format("hold"), UNKNOWN.format("echo")]
    assert [str(error) for error in answers[:2]] == texts
    assert answers[2:] == mortal.actor.got == [2, 3]
    assert mortal.books()["unknown"] == 2


async def test_nothing_waits_for_who_will_not_come_back(make_mortal: Any) -> None:
    mortal = await make_mortal(Window(messages=2))
    center = mortal.center

    async def play() -> list[Any]:
        x = buffer(20_000)
        sends = [asyncio.ensure_future(center.hold(x))]
        sends += [asyncio.ensure_future(center.echo(n)) for n in range(1, 3)]
        sends += [asyncio.ensure_future(center.tell(3))]
        await mortal.held(1)
        await mortal.die(final=True)
        said = await asyncio.gather(*sends, center.echo(4), return_exceptions=True)
        assert not lent(x)
        return list(said)

    said = await mortal.world.act(play)

    titles = ["hold", "echo", "echo", "tell"]
    assert [str(error) for error in said] == [
        *map(UNKNOWN.format, titles), "center/0 is gone: killed by signal 9",
    ]  # fmt: skip
    assert all(isinstance(error, ActorGone) and error.actor == "center/0" for error in said)
    books = mortal.books()
    assert (books["sent"], books["unknown"], books["dropped"]) == (4, 2, {"absent": 2})
    assert books["in_flight"] == 0
    assert not len(mortal.world.nodes["left"].calls)


async def test_who_comes_back_after_all_is_spoken_to(mortal: Mortal) -> None:
    await mortal.die(final=True)

    await mortal.come_back()

    assert await mortal.center.echo(1) == 1


async def test_what_moves_stays_lent_and_comes_whole(mortal: Mortal) -> None:
    center = mortal.center

    async def play() -> bool:
        x = buffer(300_000).fill_(3)
        held = asyncio.ensure_future(center.hold())
        moved = asyncio.ensure_future(center.echo(x))
        await mortal.held(1)
        await mortal.die()
        with pytest.raises(ActorGone):
            await held
        meanwhile = lent(x)
        await mortal.come_back()
        assert torch.equal(await moved, torch.full((300_000,), 3.0))
        return meanwhile and not lent(x)

    assert await mortal.world.act(play)


async def test_a_call_that_waits_for_who_follows_can_be_taken_back(mortal: Mortal) -> None:
    center = mortal.center

    async def play() -> Any:
        await mortal.die()
        x = buffer(20_000)
        asks = [asyncio.ensure_future(center.echo(value)) for value in (x, 2)]
        await asyncio.sleep(0)
        asks[0].cancel()
        await until(lambda: not lent(x))
        await mortal.come_back()
        return await asks[1]

    assert await mortal.world.act(play) == 2
    await mortal.world.quiet()
    assert mortal.actor.got == [2]
    assert mortal.books()["dropped"] == {"cancelled": 1}
    mortal.deaths.agree()


async def test_one_may_die_again_and_again(mortal: Mortal) -> None:
    center = mortal.center

    async def play() -> list[Any]:
        asks = [asyncio.ensure_future(center.echo(n)) for n in range(3)]
        for _ in range(3):
            await mortal.die()
            asks.append(asyncio.ensure_future(center.echo(len(asks))))
            await mortal.come_back()
        return list(await asyncio.gather(*asks, return_exceptions=True))

    answers = await mortal.world.act(play)
    await mortal.world.quiet()

    assert [n if isinstance(a, ActorGone) else a for n, a in enumerate(answers)] == list(range(6))
    assert mortal.actor.got == sorted(set(mortal.actor.got))
    books = mortal.books()
    assert books["sent"] == 6 == books["handled"] + books["unknown"]
    mortal.deaths.agree()


async def test_who_has_died_before_it_was_up_is_waited_for_all_the_same(mortal: Mortal) -> None:
    await mortal.die()
    ask = asyncio.ensure_future(mortal.center.echo(1))
    await asyncio.sleep(0)

    mortal.deaths.down("center/0")
    await mortal.come_back()

    assert await ask == 1


def test_deadlines_hold_while_nobody_is_there() -> None:
    async def main() -> tuple[str, float, list[Any], dict[str, int]]:
        world = memory_world()
        mortal = Mortal(world, killed=False)

        async def play() -> str:
            asked = asyncio.ensure_future(limited())
            await mortal.held(1)
            await asyncio.sleep(1)
            await mortal.die()
            try:
                await asked
            except TimeoutError as error:
                return str(error)
            return "answered"

        async def limited() -> None:
            held = asyncio.ensure_future(mortal.center.hold())
            await mortal.held(0)
            async with within(5):
                try:
                    await mortal.center.echo(1)
                finally:
                    held.cancel()

        text = await world.act(play)
        seconds = asyncio.get_running_loop().time()
        await mortal.come_back()
        await mortal.center.echo(2)
        await world.quiet()
        dropped = mortal.books()["dropped"]
        await world.close()
        return text, seconds, mortal.deaths.world.actor("center/0").got, dropped

    text, seconds, got, dropped = in_virtual_time(main())

    assert text == "center/0: Center.echo was not answered within the time given"
    assert seconds == pytest.approx(5, abs=0.01)
    assert (got, dropped) == ([2], {"cancelled": 1})


async def test_a_call_to_one_of_whom_nothing_is_heard_waits_and_its_time_out_says_so(
    world: World,
) -> None:
    center = world.spawn("center/0", Center)
    node = world.nodes["left"]
    held = asyncio.ensure_future(center.hold(7))
    await until(lambda: world.cell("center/0").current)
    node.unreachable("center/0", "nothing heard of its process for 5 s")

    with pytest.raises(
        TimeoutError, match="not answered within the time given; nothing heard of its process for 5"
    ):
        async with within(0.01):
            await center.echo(1)
    node.reachable("center/0")
    with pytest.raises(TimeoutError, match=r"within the time given$"):
        async with within(0.01):
            await center.echo(1)
    world.actor("center/0").open.set()

    assert await held == 7


async def test_nothing_that_comes_while_one_is_put_in_anothers_place_is_refused(
    world: World,
) -> None:
    deaths = Deaths(world)
    center = world.spawn("center/0", Center)
    node = await deaths.bury("center/0")

    asks = [asyncio.ensure_future(center.echo(n)) for n in range(3)]
    await until(
        lambda: (
            world.nodes["left"].switch.link(world.nodes["left"].origin.process, "center/0").out.open
        )
    )
    await asyncio.sleep(0.01)
    deaths.down("center/0")
    node.spawn("center/0", Center)
    deaths.up("center/0")

    assert await asyncio.gather(*asks) == [0, 1, 2]
    assert world.actor("center/0").got == [0, 1, 2]


class Asker:
    """Asks the center in its life, in memory that it lends."""

    def __init__(self, center: Any) -> None:
        self.center = center
        self.x: Any = None
        self.ended: BaseException | None = None

    async def run(self) -> None:
        self.x = buffer(20_000).fill_(1)
        self.left_behind = asyncio.ensure_future(self.center.hold(self.x))
        await asyncio.sleep(0)
        raise ValueError("diverged")


async def test_what_a_dead_asker_had_lent_comes_back_and_its_tasks_end(world: World) -> None:
    deaths = Deaths(world)
    center = world.spawn("center/0", Center)
    world.spawn("asker/0", lambda: Asker(center), Asker, at="left")
    actor, node = world.actor("asker/0"), world.nodes["left"]
    world.cell("asker/0").live(lambda _name, error: setattr(actor, "ended", error))
    await until(lambda: actor.ended and world.cell("center/0").current)

    await deaths.replace("asker/0")
    await until(actor.left_behind.done)
    meanwhile = node.pool.is_lent(actor.x.data_ptr())
    world.actor("center/0").open.set()
    await until(lambda: not node.pool.is_lent(actor.x.data_ptr()))
    await world.quiet()

    assert actor.left_behind.cancelled()
    assert meanwhile == world.one_process  # there the handler goes on reading it
    assert not len(node.calls)
    deaths.agree()


async def test_what_the_dead_had_asked_of_the_dead_is_forgotten(memory: World) -> None:
    deaths = Deaths(memory)
    center = memory.spawn("center/0", Center)
    memory.spawn("asker/0", lambda: Asker(center), Asker)
    actor, node = memory.actor("asker/0"), memory.nodes["left"]
    memory.cell("asker/0").live(lambda _name, error: setattr(actor, "ended", error))
    await until(lambda: actor.ended and memory.cell("center/0").current)

    await deaths.replace("asker/0")
    before = len(node.calls)
    await deaths.replace("center/0")

    assert (before, len(node.calls)) == (1, 0)
    assert not node.pool.is_lent(actor.x.data_ptr())


async def test_an_answer_that_had_not_left_when_its_asker_died_ends_the_lend(
    memory: World,
) -> None:
    deaths = Deaths(memory)
    center = memory.spawn("center/0", Center)
    memory.spawn("asker/0", lambda: Asker(center), Asker)
    actor, node = memory.actor("asker/0"), memory.nodes["left"]
    memory.cell("asker/0").live(lambda _name, error: setattr(actor, "ended", error))
    await until(lambda: actor.ended and memory.cell("center/0").current)
    await deaths.bury("asker/0")
    memory.actor("center/0").open.set()
    link = node.switch.link("center/0", "asker/0")
    while not link.out.answers:  # noqa: ASYNC110 - one turn of the loop each
        await asyncio.sleep(0)

    deaths.down("asker/0")

    assert not len(node.calls)


async def test_news_that_are_older_than_what_is_known_are_passed_over(world: World) -> None:
    center = world.spawn("center/0", Center)
    node = world.nodes["left"]
    place = node.directory.place("center/0")
    node.down("center/0", "killed by signal 9")
    node.down("center/0", "killed by signal 9")

    node.up("center/0", place)

    assert node.directory.absent("center/0")
    ask = asyncio.ensure_future(center.echo(1))
    await asyncio.sleep(0.01)
    assert not ask.done()
    ask.cancel()


async def test_an_answer_of_the_dead_is_refused_however_late_it_comes(folder: Path) -> None:
    world = await joined_over(UNIX, folder, None)
    mortal = Mortal(world, killed=False)
    left = world.nodes["left"]
    held = asyncio.ensure_future(mortal.center.hold())
    await mortal.held(0)

    left.down("center/0", "its host is lost")
    with pytest.raises(ActorGone, match="its host is lost; what became of Center"):
        await held
    mortal.actor.open.set()
    await until(lambda: left.switch.refused["packet"])

    assert not len(left.calls)
    await world.close()


class Log:
    """What was really handled, over all incarnations."""

    def __init__(self) -> None:
        self.handled: list[tuple[str, int]] = []


class Peer:
    """Handles what both sides say, and passes some of it on to the other one."""

    def __init__(self, log: Log, me: str, peer: Any = None) -> None:
        self.log = log
        self.me = me
        self.peer = peer

    async def ask(self, tag: int) -> int:
        self.log.handled.append((self.me, tag))
        await asyncio.sleep(0.004 * (tag % 4))
        return tag

    @oneway
    async def note(self, tag: int) -> None:
        self.log.handled.append((self.me, tag))
        await asyncio.sleep(0.002 * (tag % 3))

    async def relay(self, tag: int) -> int:
        self.log.handled.append((self.me, tag))
        answer: int = await self.peer.ask(tag)
        return answer


NAMES = {"left": "a/0", "right": "b/0"}
said = st.tuples(
    st.sampled_from(("ask", "note", "relay")), st.sampled_from(SIDES), st.integers(1, 6)
)
other = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 60)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("kill"), st.sampled_from(SIDES), st.integers(0, 40), st.integers(0, 40)),
    st.tuples(st.just("replace"), st.sampled_from(SIDES), st.integers(0, 40)),
)


class Schedule:
    """Calls, cancels, deaths and returns, one after the other, over a network that loses."""

    def __init__(self, world: World, log: Log) -> None:
        self.world = world
        self.log = log
        self.deaths = Deaths(world)
        self.tags: dict[str, list[tuple[int, asyncio.Future[Any]]]] = {s: [] for s in SIDES}
        self.count = 0

    def spawn(self) -> None:
        for side in SIDES:
            self.world.spawn(NAMES[side], partial(Peer, self.log, NAMES[side]), Peer, at=side)
        self.introduce()

    def introduce(self) -> None:
        """Tell each of the two of the other one."""
        for side, other in zip(SIDES, reversed(SIDES), strict=True):
            node = self.world.nodes[side]
            node.cells[NAMES[side]].actor.peer = node.ref(NAMES[other])

    async def _say(self, what: str, side: str, many: int) -> None:
        target = NAMES[SIDES[1 - SIDES.index(side)]]
        for _ in range(many):
            self.count += 1
            message = getattr(self.world.ref(target, at=side), what)(self.count)
            self.tags[side].append((self.count, asyncio.ensure_future(message)))
        await asyncio.sleep(0)

    async def ask(self, side: str, many: int) -> None:
        await self._say("ask", side, many)

    async def note(self, side: str, many: int) -> None:
        await self._say("note", side, many)

    async def relay(self, side: str, many: int) -> None:
        await self._say("relay", side, many)

    async def wait(self, milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1000)

    async def cancel(self, which: int) -> None:
        for tags in self.tags.values():
            for tag, ask in tags:
                if tag == which:
                    ask.cancel()

    async def kill(self, side: str, before: int, after: int) -> None:
        if self.world.one_process:
            await self.replace(side, before)
            return
        names = await self.deaths.kill(side)
        for _, ask in self.tags.pop(side):
            ask.cancel()
        self.tags[side] = []
        await self.wait(before)
        self.deaths.down(*names)
        await self.wait(after)
        await self.deaths.revive(side)
        self.introduce()

    async def replace(self, side: str, before: int) -> None:
        name = NAMES[side]
        node = await self.deaths.bury(name)
        await self.wait(before)
        self.deaths.down(name)
        node.spawn(name, self.world.makes[name][0])
        self.introduce()
        self.deaths.up(name)

    async def end(self) -> dict[int, Any]:
        """Wait for all that is under way; return what became of the calls of who is still there."""
        tags = [pair for side in SIDES for pair in self.tags[side]]
        went = await asyncio.gather(*(ask for _, ask in tags), return_exceptions=True)
        await self.world.quiet()
        return dict(zip((tag for tag, _ in tags), went, strict=True))


def check(schedule: Schedule, went: dict[int, Any]) -> None:
    handled = schedule.log.handled
    assert len(set(handled)) == len(handled), "a call was handled twice"
    for tag, answer in went.items():
        times = sum(tag == one for _, one in handled)
        if answer == tag:
            assert times >= 1
        elif answer is not None:
            assert isinstance(answer, ActorGone | CallCycle | asyncio.CancelledError), answer
    schedule.deaths.agree()
    for node in schedule.world.each:
        assert not len(node.calls)
        for books in node.accounts():
            lost = books["unknown"] + sum(books["dropped"].values())
            assert books["in_flight"] == 0
            assert books["sent"] == books["handled"] + lost


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from((None, 0.0, 0.2)),
    messages=st.integers(1, 5),
    events=st.lists(said | said | other, min_size=4, max_size=40),
)
def test_whatever_dies_nothing_is_handled_twice_or_forgotten(
    seed: int, loss: float | None, messages: int, events: list[tuple[Any, ...]]
) -> None:
    async def main() -> None:
        window = Window(messages=messages)
        world = memory_world(window) if loss is None else await lossy_world(seed, window, loss)
        schedule = Schedule(world, Log())
        schedule.spawn()
        for what, *details in events:
            await getattr(schedule, what)(*details)
        went = await schedule.end()
        check(schedule, went)
        await world.close()

    in_virtual_time(main())


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), deaths=st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_what_one_sender_says_is_handled_in_its_order_by_all_incarnations(
    seed: int, deaths: list[int]
) -> None:
    async def main() -> None:
        world = await lossy_world(seed, Window(messages=4))
        schedule = Schedule(world, Log())
        schedule.spawn()
        for milliseconds in deaths:
            await schedule.ask("left", 4)
            await schedule.note("left", 4)
            await schedule.wait(milliseconds)
            await schedule.kill("right", 5, 5)
        await schedule.ask("left", 4)
        went = await schedule.end()
        tags = [tag for _, tag in schedule.log.handled]
        assert tags == sorted(set(tags))
        assert all(went[tag] == tag for tag in went if tag > schedule.count - 4)
        check(schedule, went)
        await world.close()

    in_virtual_time(main())
