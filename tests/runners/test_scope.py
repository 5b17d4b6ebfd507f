"""A simulated process can be stopped, go on and be killed, whatever it is doing."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import now, virtual
from tether.runners.scope import Scope, here
from tether.runners.virtual import VirtualLoop, run


def loop() -> VirtualLoop:
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop)
    return running


def scope(name: str = "worker-0") -> Scope:
    return Scope(name, loop())


def later(within: Scope, delay: float, function: Callable[..., Any], *args: Any) -> None:
    loop().call_later(delay, function, *args, context=within.context)


def start(within: Scope, coroutine: Any) -> asyncio.Task[Any]:
    """Begin a task as the process itself would."""
    task: asyncio.Task[Any] = within.context.run(loop().create_task, coroutine)
    return task


@virtual
async def test_whatever_a_process_begins_bears_it() -> None:
    process, seen = scope(), list[Scope | None]()

    async def lives() -> None:
        seen.append(here.get())
        loop().call_soon(lambda: seen.append(here.get()))
        loop().call_later(1, lambda: seen.append(here.get()))
        await loop().create_task(begun())

    async def begun() -> None:
        seen.append(here.get())

    start(process, lives())
    await asyncio.sleep(2)

    assert seen == [process] * 4
    assert here.get() is None


@virtual
async def test_a_stopped_process_does_nothing_and_all_others_go_on() -> None:
    process, other, ran = scope(), scope("worker-1"), list[tuple[str, float]]()
    for each in (process, other):
        later(each, 1, lambda each=each: ran.append((each.name, now())))

    process.stop()
    await asyncio.sleep(5)

    assert ran == [("worker-1", 1.0)]
    assert (process.stopped, process.killed, process.since) == (True, False, 0.0)


@virtual
async def test_what_has_waited_runs_in_its_order_when_the_process_goes_on() -> None:
    process, ran = scope(), list[tuple[str, float]]()

    def note(what: str) -> None:
        ran.append((what, now()))

    later(process, 3, note, "late")
    later(process, 1, note, "early")
    loop().call_soon(note, "at once", context=process.context)
    later(process, 9, note, "after")
    process.stop()
    await asyncio.sleep(5)
    process.go_on()
    await asyncio.sleep(5)

    assert ran == [("at once", 5.0), ("early", 5.0), ("late", 5.0), ("after", 9.0)]


@virtual
async def test_a_task_that_slept_while_it_was_stopped_wakes_when_it_goes_on() -> None:
    process, woke = scope(), list[float]()

    async def lives() -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            woke.append(now())

    start(process, lives())
    await asyncio.sleep(1.5)
    process.stop()
    await asyncio.sleep(8.5)
    process.go_on()
    await asyncio.sleep(5)

    assert woke == [1.0, 10.0, 11.0]


@virtual
async def test_what_others_do_to_a_stopped_process_waits_too() -> None:
    process, got = scope(), list[tuple[int, float]]()
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def takes() -> None:
        while True:
            got.append((await queue.get(), now()))

    start(process, takes())
    await asyncio.sleep(1)
    process.stop()
    for number in range(3):
        queue.put_nowait(number)
    await asyncio.sleep(1)
    before = [*got]
    process.go_on()
    await asyncio.sleep(1)

    assert before == []
    assert got == [(0, 2.0), (1, 2.0), (2, 2.0)]


@virtual
async def test_to_stop_twice_or_go_on_twice_is_to_do_so_once() -> None:
    process, ran = scope(), list[int]()
    later(process, 2, ran.append, 1)

    process.stop()
    await asyncio.sleep(1)
    process.stop()
    stopped_since = process.since
    await asyncio.sleep(2)
    process.go_on()
    process.go_on()
    await asyncio.sleep(1)

    assert stopped_since == 0.0
    assert ran == [1]


@virtual
async def test_of_a_killed_process_nothing_runs_any_more() -> None:
    process, ran = scope(), list[str]()

    async def lives() -> None:
        while True:
            await asyncio.sleep(1)
            ran.append("lives")

    start(process, lives())
    later(process, 4, ran.append, "timer")
    await asyncio.sleep(2.5)
    process.kill()
    loop().call_soon(ran.append, "after its death", context=process.context)
    await asyncio.sleep(9)

    assert ran == ["lives", "lives"]
    assert (process.killed, process.since) == (True, 2.5)


@virtual
async def test_what_waited_for_a_stopped_process_dies_with_it() -> None:
    process, ran = scope(), list[int]()
    later(process, 1, ran.append, 1)

    process.stop()
    await asyncio.sleep(2)
    process.kill()
    process.go_on()
    process.stop()
    await asyncio.sleep(2)
    process.kill()

    assert ran == []
    assert process.since == 2.0


@virtual
async def test_a_killed_process_cannot_catch_its_death() -> None:
    process, after = scope(), list[str]()

    async def lives() -> None:
        try:
            await asyncio.sleep(9)
        except BaseException as error:
            after.append(type(error).__name__)
            await asyncio.sleep(0)
            after.append("came back")

    start(process, lives())
    await asyncio.sleep(1)
    process.kill()
    await asyncio.sleep(9)

    assert after == ["GeneratorExit"]


@virtual
async def test_nothing_comes_of_what_the_dying_still_do() -> None:
    process, effects = scope(), list[str]()
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def takes_within() -> None:
        effects.append(await queue.get())

    async def lives() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            queue.put_nowait("a last word")
            loop().call_soon(effects.append, "a callback")
            loop().call_later(1, effects.append, "a timer")
            await asyncio.sleep(0)
            effects.append("an await")

    start(process, takes_within())
    start(process, lives())
    await asyncio.sleep(1)
    process.kill()
    await asyncio.sleep(9)

    assert effects == []


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@virtual
async def test_a_process_dies_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    process = scope()

    async def raises() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            raise LookupError("its own affair")

    async def awaits_again() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            for _ in range(3):
                try:
                    await asyncio.sleep(1)
                except GeneratorExit:
                    continue

    async def groups() -> None:
        async with asyncio.TaskGroup() as group, asyncio.timeout(8):
            for _ in range(3):
                group.create_task(asyncio.sleep(9))
            await asyncio.gather(asyncio.sleep(9), asyncio.shield(asyncio.sleep(9)))

    async def groups_none() -> None:  # which raises a group of GeneratorExit that is no Exception
        async with asyncio.TaskGroup():
            await asyncio.sleep(9)

    for coroutine in (raises(), awaits_again(), groups(), groups_none(), asyncio.sleep(9)):
        start(process, coroutine)
    start(process, asyncio.Event().wait())
    await asyncio.sleep(1)
    with caplog.at_level(logging.DEBUG):
        process.kill()
        gc.collect()
        await asyncio.sleep(9)
        gc.collect()

    assert caplog.records == []
    assert [task for task in loop().tasks() if task is not asyncio.current_task()] == []


@virtual
async def test_a_task_that_the_dying_begin_is_let_go_of_too() -> None:
    process = scope()

    async def lives() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            await asyncio.gather(asyncio.sleep(1), asyncio.sleep(2))

    start(process, lives())
    await asyncio.sleep(1)
    process.kill()
    left = [task for task in loop().tasks() if task is not asyncio.current_task()]
    for task in left:
        task.abandon()
        task.coroutine.close()

    assert left == []


@virtual
async def test_a_task_that_has_not_begun_never_begins() -> None:
    process, began = scope(), list[int]()

    async def lives() -> None:
        began.append(1)

    start(process, lives())
    process.kill()
    await asyncio.sleep(1)

    assert began == []


@virtual
async def test_the_tasks_of_others_outlive_a_process() -> None:
    process, other = scope(), scope("worker-1")
    outside = loop().create_task(asyncio.sleep(2, "outside"))
    inside = start(other, asyncio.sleep(3, "inside"))

    process.kill()

    assert [await outside, await inside] == ["outside", "inside"]


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=30))
def test_what_waited_and_what_did_not_run_in_the_order_of_their_times(
    timers: list[tuple[int, bool]],
) -> None:
    ran: list[tuple[float, int]] = []

    async def main() -> None:
        process, other = scope(), scope("worker-1")
        for number, (delay, stops) in enumerate(timers):
            later(process if stops else other, delay, ran.append, (delay, number))
        await asyncio.sleep(5.5)
        process.stop()
        await asyncio.sleep(10)
        process.go_on()
        await asyncio.sleep(20)

    run(main())

    for stops in (True, False):
        mine = [each for each in ran if timers[each[1]][1] is stops]
        assert mine == sorted(mine)
    assert len(ran) == len(timers)
