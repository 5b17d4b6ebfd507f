"""Time, chance and threads of a simulated world: all virtual, and all drawn from one seed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import now, virtual
from tether.actors.compute import Job
from tether.runners.distribution import Distribution, fixed
from tether.runners.virtual import VirtualLoop, run, settle
from tether.runners.virtual_clock import EPOCH, VirtualClock, VirtualThread

COSTS: Mapping[str, Distribution] = {
    "gradient": fixed(3.0), "step": fixed(1.0), "nothing": fixed(0.0)
}  # fmt: skip


def loop() -> VirtualLoop:
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop)
    return running


class Seen:
    """What an overseer sees."""

    def __init__(self) -> None:
        self.computed: list[tuple[str, str, str, float]] = []
        self.times: list[tuple[str, str, float, float]] = []

    def before(self, name: str, work: str) -> None:
        self.computed.append(("before", name, work, now()))

    def after(self, name: str, work: str) -> None:
        self.computed.append(("after", name, work, now()))

    def took(self, name: str, work: str, begins: float, ends: float) -> None:
        self.times.append((name, work, begins, ends))


def clock(
    seed: int = 7,
    costs: Mapping[str, Distribution] = COSTS,
    pace: Callable[[str], float] = lambda _: 1.0,
    seen: Seen | None = None,
) -> VirtualClock:
    return VirtualClock(loop(), seed, lambda _: costs, pace, seen or Seen())


async def work(thread: VirtualThread, name: str, function: Callable[[], Any] = int) -> float:
    """Have a job done; return when it was over."""
    await loop().run_in_executor(thread, Job(name, function))
    return now()


@virtual
async def test_now_is_virtual_and_a_simulation_begins_in_the_year_2000() -> None:
    made = clock()

    await asyncio.sleep(12.5)

    assert made.now() == 12.5
    assert made.wall() == EPOCH + 12.5
    assert EPOCH == 30 * 365 * 86400 + 7 * 86400


@virtual
async def test_tokens_and_streams_are_those_of_the_seed() -> None:
    one, same, other = clock(7), clock(7), clock(8)

    tokens = [[each.token() for _ in range(3)] for each in (one, same, other)]
    drawn = [each.random("worker/0").random() for each in (one, one, same, other)]

    assert tokens[0] == tokens[1]
    assert len({*tokens[0], *tokens[2]}) == 6
    assert all(len(token) == 16 and int(token, 16) >= 0 for token in tokens[0])
    assert drawn[0] == drawn[1] == drawn[2] != drawn[3]
    assert one.random("worker/0").random() != one.random("worker/1").random()


@virtual
async def test_work_takes_the_time_of_its_name() -> None:
    thread = clock().executor("worker/0")

    ends = [await work(thread, name) for name in ("gradient", "step", "nothing", "unknown")]

    assert ends == [3.0, 4.0, 4.0, 4.0]


@virtual
async def test_a_function_without_a_name_takes_no_time() -> None:
    thread = clock().executor("worker/0")

    assert await loop().run_in_executor(thread, sum, (1, 2)) == 3
    assert now() == 0.0


@virtual
async def test_work_is_computed_when_it_begins_here_and_its_result_comes_when_it_ends() -> None:
    seen = Seen()
    thread = clock(seen=seen).executor("worker/0")
    computed: list[tuple[float, int]] = []

    def compute() -> str:
        computed.append((now(), threading.get_ident()))
        return "done"

    result = await loop().run_in_executor(thread, Job("gradient", compute))

    assert (result, now()) == ("done", 3.0)
    assert computed == [(0.0, threading.get_ident())]
    assert seen.computed == [
        ("before", "worker/0", "gradient", 0.0), ("after", "worker/0", "gradient", 0.0)
    ]  # fmt: skip
    assert seen.times == [("worker/0", "gradient", 0.0, 3.0)]


@virtual
async def test_work_that_takes_no_time_is_seen_but_not_timed() -> None:
    seen = Seen()

    await work(clock(seen=seen).executor("worker/0"), "nothing")

    assert [each[0] for each in seen.computed] == ["before", "after"]
    assert seen.times == []


@virtual
async def test_one_thread_does_one_thing_after_the_other() -> None:
    seen, order = Seen(), list[str]()
    thread = clock(seen=seen).executor("worker/0")

    def note(name: str) -> None:
        order.append(f"{name} at {now():g}")

    names = ("gradient", "step", "nothing", "gradient")
    ends = await asyncio.gather(*(work(thread, name, partial(note, name)) for name in names))

    assert ends == [3.0, 4.0, 4.0, 7.0]
    assert order == ["gradient at 0", "step at 3", "nothing at 4", "gradient at 4"]
    assert [(begins, ends) for _, _, begins, ends in seen.times] == [(0, 3), (3, 4), (4, 7)]


@virtual
async def test_two_threads_do_not_wait_for_each_other() -> None:
    made = clock()

    ends = await asyncio.gather(
        *(work(made.executor(name), "gradient") for name in ("worker/0", "worker/1"))
    )

    assert ends == [3.0, 3.0]


@virtual
async def test_a_thread_that_was_idle_begins_at_once() -> None:
    thread = clock().executor("worker/0")
    await work(thread, "step")

    await asyncio.sleep(10)

    assert await work(thread, "gradient") == 14.0


@virtual
async def test_who_is_slow_takes_longer_for_what_it_begins_then() -> None:
    paces = {"worker/0": 1.0}
    made = clock(pace=lambda name: paces.get(name, 1.0))
    slow, usual = made.executor("worker/0"), made.executor("worker/1")

    ends = [await work(slow, "gradient")]
    paces["worker/0"] = 4.0
    ends += [await work(slow, "gradient"), await work(usual, "gradient")]
    paces["worker/0"] = 0.5
    ends += [await work(slow, "gradient")]

    assert ends == [3.0, 15.0, 18.0, 19.5]


@virtual
async def test_what_work_raises_comes_when_its_time_is_over() -> None:
    thread = clock().executor("worker/0")

    for name, end in (("gradient", 3.0), ("nothing", 3.0)):
        with pytest.raises(ZeroDivisionError):
            await work(thread, name, lambda: 1 // 0)
        assert now() == end


@virtual
async def test_work_that_nobody_waits_for_is_done_and_holds_the_thread() -> None:
    thread, done = clock().executor("worker/0"), list[float]()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work(thread, "gradient", lambda: done.append(now())), 1)
    end = await work(thread, "step")

    assert (done, end) == ([0.0], 4.0)


@virtual
async def test_work_that_fails_when_nobody_waits_any_more_fails_in_silence() -> None:
    thread = clock().executor("worker/0")
    waiting = loop().create_task(work(thread, "gradient", lambda: 1 // 0))

    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.sleep(5)

    assert waiting.cancelled()


@virtual
async def test_work_that_was_taken_back_before_it_began_is_never_done() -> None:
    thread, done = clock().executor("worker/0"), list[float]()
    first = loop().create_task(work(thread, "gradient"))
    second = loop().create_task(work(thread, "step", lambda: done.append(now())))

    await asyncio.sleep(1)
    second.cancel()
    await first
    await asyncio.sleep(1)

    assert done == []


@virtual
async def test_a_thread_is_an_executor_too() -> None:
    thread = clock().executor("worker/0")
    loop().create_task(work(thread, "gradient"))
    await asyncio.sleep(1)

    summed = await asyncio.wrap_future(thread.submit(sum, [1, 2], start=3))
    with pytest.raises(ZeroDivisionError):
        await asyncio.wrap_future(thread.submit(divmod, 1, 0))
    thread.shutdown(wait=True, cancel_futures=True)

    assert (summed, now()) == (6, 3.0)


def test_what_was_submitted_may_be_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        thread = clock().executor("worker/0")
        loop().create_task(work(thread, "gradient"))
        await asyncio.sleep(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(thread.submit(int)), 1)
        await asyncio.sleep(3)

    run(main())

    assert caplog.records == []


@virtual
async def test_any_other_job_is_done_at_once_and_here() -> None:
    ident = await asyncio.to_thread(threading.get_ident)
    summed = await loop().run_in_executor(None, sum, (1, 2))
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(divmod, 1, 0)

    assert (ident, summed, now()) == (threading.get_ident(), 3, 0.0)


@virtual
async def test_a_future_that_was_cancelled_takes_nothing() -> None:
    good, bad = loop().create_future(), loop().create_future()
    good.cancel()
    bad.cancel()

    settle(good, lambda: 1)
    settle(bad, lambda: 1 / 0)

    assert good.cancelled()
    assert bad.cancelled()


@given(st.integers(0, 2**32), st.sampled_from(["worker/0", "center/0"]))
def test_the_same_seed_and_name_take_the_same_times(seed: int, name: str) -> None:
    costs = {"gradient": Distribution("lognormal", (0.01, 0.5))}

    async def times() -> list[float]:
        thread = clock(seed, costs).executor(name)
        return [await work(thread, "gradient") for _ in range(5)]

    assert run(times()) == run(times())


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.001, 5)), max_size=20))
def test_work_never_overlaps_and_is_never_later_than_it_must(
    jobs: list[tuple[float, float]],
) -> None:
    seen = Seen()

    async def main() -> None:
        costs = {str(n): fixed(takes) for n, (_, takes) in enumerate(jobs)}
        thread = clock(costs=costs, seen=seen).executor("worker/0")
        working = []
        for number, (pause, _) in enumerate(jobs):
            await asyncio.sleep(pause)
            working.append(loop().create_task(work(thread, str(number))))
            await asyncio.sleep(0)
        await asyncio.gather(*working)

    run(main())

    free = came = 0.0
    for (pause, takes), (_, _, begins, ends) in zip(jobs, seen.times, strict=True):
        came += pause
        assert begins == max(came, free)
        assert ends == begins + takes
        free = ends
