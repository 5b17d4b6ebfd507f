"""Waiting in virtual time costs nothing, takes exactly as long as it says, and goes alike."""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, ContextVar
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import now, virtual
from tether.actors.context import acting
from tether.runners import virtual as module
from tether.runners.virtual import CANCELLED, Heap, Standstill, VirtualLoop, run


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    for task in loop.tasks():
        task.abandon()
    loop.close()


def here() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


async def spins() -> None:
    acting.set(SimpleNamespace(cell=SimpleNamespace(name="worker/3")))  # type: ignore[arg-type]
    while True:  # noqa: ASYNC110 - nothing is waited for
        await asyncio.sleep(0)


def test_a_run_begins_at_0_and_returns_what_its_main_returns() -> None:
    async def main() -> tuple[float, str]:
        begun = now()
        await asyncio.sleep(1e9)
        return begun, "done"

    assert run(main()) == (0.0, "done")


def test_what_a_run_leaves_behind_is_cancelled() -> None:
    ended: list[float] = []

    async def lives() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            ended.append(now())

    async def main() -> None:
        here().create_task(lives())
        await asyncio.sleep(2)

    run(main())

    assert ended == [2.0]


def test_in_virtual_time_there_is_no_deadlock_but_a_standstill() -> None:
    async def main() -> None:
        task = here().create_task(asyncio.Event().wait(), name="waits for nobody")
        await task

    with pytest.raises(Standstill) as caught:
        run(main())

    told = str(caught.value)
    assert told.startswith("nothing can happen any more after 0 s of virtual time, but Task-")
    assert told.endswith(
        ", waits for nobody waits; what waits for a socket, a thread or the real clock waits for "
        "ever here"
    )


def test_a_standstill_of_nobody_says_so(loop: VirtualLoop) -> None:
    loop.call_later(3.5, lambda: None)

    with pytest.raises(Standstill, match=r"any more after 3\.5 s of virtual time, but no task w"):
        loop.run_forever()


def test_time_that_stands_still_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STILL", 1000)

    with pytest.raises(Standstill, match=r"^\d+ callbacks have run at 0 s of virtual time, and it"):
        run(spins())


def test_who_holds_time_still_is_named(loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STILL", 1000)

    with pytest.raises(Standstill) as caught:
        loop.run_until_complete(spins())

    assert str(caught.value) == (
        "1001 callbacks have run at 0 s of virtual time, and it does not move; the last one is "
        "worker/3; let it wait, or give its computing a time"
    )


def test_who_held_time_still_is_named_by_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STILL", 1000)

    async def main() -> None:
        here().create_task(spins())
        await asyncio.Event().wait()

    with pytest.raises(Standstill, match=r"^1001 callbacks .* the last one is worker/3; let it"):
        run(main())


def test_what_sleeps_for_ever_never_wakes() -> None:
    with pytest.raises(Standstill, match="nothing can happen any more after 0 s"):
        run(asyncio.sleep(math.inf))


@virtual
async def test_cancelled_timers_are_forgotten() -> None:
    left = []
    for _ in range(100 * CANCELLED):
        timer = here().call_later(1e6, print)
        left.append(weakref.ref(timer))
        timer.cancel()
        del timer
        await asyncio.sleep(1e-3)
    gc.collect()

    assert sum(ref() is not None for ref in left) <= 2 * CANCELLED


@virtual
async def test_what_is_checked_is_checked_after_so_many_callbacks() -> None:
    seen: list[int] = []
    here().check_every = 10
    here().checks.append(lambda: seen.append(here().events))

    for _ in range(35):
        await asyncio.sleep(0)

    assert len(seen) == 3
    assert [after - before for before, after in pairwise(seen)] == [10, 10]


@virtual
async def test_a_gate_keeps_callbacks_until_they_are_resumed() -> None:
    ran: list[str] = []
    held: list[asyncio.Handle] = []
    marked: ContextVar[bool] = ContextVar("marked", default=False)

    def gate(context: Context, handle: asyncio.Handle) -> bool:
        if context.get(marked):
            held.append(handle)
        return not context.get(marked)

    context = Context()
    context.run(marked.set, True)
    here().gate = gate
    here().call_later(1, ran.append, "timer", context=context)
    here().call_soon(ran.append, "soon", context=context)
    here().call_soon(ran.append, "free")
    await asyncio.sleep(2)
    before, here().gate = [*ran], None
    here().resume(held)
    await asyncio.sleep(0)

    assert before == ["free"]
    assert ran == ["free", "soon", "timer"]


@virtual
async def test_all_tasks_are_known_in_the_order_they_were_made() -> None:
    made = [here().create_task(asyncio.sleep(n % 3), name=f"task {n}") for n in range(50)]
    await asyncio.sleep(0.5)

    names = [task.get_name() for task in here().tasks()[1:]]

    assert names == [task.get_name() for n, task in enumerate(made) if n % 3]


@virtual
async def test_sets_of_tasks_and_of_futures_are_gone_through_by_their_numbers() -> None:
    tasks: list[Any] = [here().create_task(asyncio.sleep(1)) for _ in range(100)]
    futures: list[Any] = [here().create_future() for _ in range(100)]

    for each in (tasks, futures):
        numbers = [one.number for one in each]
        assert numbers == sorted(numbers)
        assert [hash(one) for one in each] == numbers
        assert [one.number for one in set(each)] == list(set(numbers))


async def in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        for seconds in (1, 4, 2):
            group.create_task(asyncio.sleep(seconds))


async def in_a_group_that_fails() -> None:
    async def fails() -> None:
        await asyncio.sleep(2)
        raise ZeroDivisionError

    async def all_of_it() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(9))
            group.create_task(fails())

    with pytest.raises(ExceptionGroup):
        await all_of_it()


async def out_of_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.5):
            await asyncio.sleep(9)


async def waiting_too_long() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 1.25)


async def in_time() -> None:
    assert await asyncio.wait_for(asyncio.sleep(1, "slept"), 9) == "slept"


async def gathered() -> None:
    assert await asyncio.gather(*(asyncio.sleep(n, n) for n in (3, 1, 2))) == [3, 1, 2]


async def shielded() -> None:
    inner = here().create_task(asyncio.sleep(3))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(inner), 1)
    await inner


async def waiting_for_an_event() -> None:
    event = asyncio.Event()
    here().call_later(7, event.set)
    await event.wait()


async def through_a_queue() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

    async def puts() -> None:
        for number in range(4):
            await asyncio.sleep(1)
            await queue.put(number)

    here().create_task(puts())
    assert [await queue.get() for _ in range(4)] == [0, 1, 2, 3]


async def for_the_first() -> None:
    tasks = [here().create_task(asyncio.sleep(n)) for n in (5, 2, 8)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert (done, pending) == ({tasks[1]}, {tasks[0], tasks[2]})


async def in_a_thread() -> None:
    await asyncio.gather(asyncio.to_thread(int), asyncio.sleep(0.5))


@pytest.mark.parametrize(
    ("play", "seconds"),
    [
        (in_a_group, 4), (in_a_group_that_fails, 2), (out_of_time, 2.5), (waiting_too_long, 1.25),
        (in_time, 1), (gathered, 3), (shielded, 3), (waiting_for_an_event, 7), (through_a_queue, 4),
        (for_the_first, 2), (in_a_thread, 0.5),
    ],
)  # fmt: skip
def test_what_asyncio_knows_takes_just_its_time(
    play: Callable[[], Coroutine[Any, Any, None]], seconds: float
) -> None:
    async def main() -> float:
        await play()
        return now()

    assert run(main()) == seconds


DELAYS = st.lists(st.sampled_from([0.0, 0.1, 0.25, 1.0]) | st.floats(0, 100), max_size=40)


@given(DELAYS)
def test_timers_run_in_the_order_of_their_times_and_then_of_their_making(
    delays: list[float],
) -> None:
    ran: list[tuple[float, int]] = []

    async def main() -> None:
        for number, delay in enumerate(delays):
            here().call_later(delay, lambda n: ran.append((now(), n)), number)
        await asyncio.sleep(101)

    run(main())

    assert ran == sorted((delay, number) for number, delay in enumerate(delays))


@given(st.lists(st.tuples(st.floats(-10, 10), st.booleans()), max_size=40))
def test_time_never_goes_back(moments: list[tuple[float, bool]]) -> None:
    seen: list[float] = []

    async def main() -> None:
        for ahead, waits in moments:
            here().call_at(now() + ahead, lambda: seen.append(now()))
            await asyncio.sleep(abs(ahead) if waits else 0)
        await asyncio.sleep(11)

    run(main())

    assert len(seen) == len(moments)
    assert seen == sorted(seen)


@given(DELAYS, st.data())
def test_what_is_cancelled_never_runs_and_all_else_does(
    delays: list[float], data: st.DataObject
) -> None:
    cancelled = data.draw(st.sets(st.integers(0, max(0, len(delays) - 1))))
    ran: list[int] = []

    async def main() -> None:
        timers = [here().call_later(delay, ran.append, n) for n, delay in enumerate(delays)]
        for number in cancelled & set(range(len(timers))):
            timers[number].cancel()
        await asyncio.sleep(101)

    run(main())

    assert sorted(ran) == [n for n in range(len(delays)) if n not in cancelled]


class Ring:
    """A piece of garbage that only the collector can find."""

    def __init__(self) -> None:
        self.itself = self


def test_what_earlier_runs_have_left_is_collected_when_it_has_become_much() -> None:
    heap = Heap()
    gc.collect()
    gc.disable()
    try:
        heap.freeze()
        first = weakref.ref(Ring())
        for _ in range(sys.getallocatedblocks() // 3):
            Ring()
        gc.unfreeze()
        left = first() is not None
        heap.freeze()
        found = first() is None
    finally:
        gc.unfreeze()
        gc.enable()

    assert (left, found) == (True, True)


def test_the_collector_is_as_it_was_after_a_run() -> None:
    async def main() -> tuple[int, int, int]:
        return gc.get_threshold()

    before = gc.get_threshold(), gc.get_freeze_count()

    within = run(main())

    assert within != before[0]
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
