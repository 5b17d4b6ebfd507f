"""Heavy work runs in the actor's own thread, in order, and its errors come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.actors.conftest import World
from tether.actors import report
from tether.actors.compute import Job, off_loop


class Names(ThreadPoolExecutor):
    """The thread of who is no actor, which writes down what its jobs are called."""

    def __init__(self) -> None:
        super().__init__(1)
        self.names: list[str] = []
        asyncio.get_running_loop().set_default_executor(self)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert isinstance(fn, Job)
        self.names.append(fn.name)
        return super().submit(fn, *args, **kwargs)


def thread_name() -> str:
    return threading.current_thread().name


def fail(text: str, *, kind: type[Exception]) -> None:
    raise kind(text)


async def test_work_runs_in_the_actors_own_thread(memory: World) -> None:
    names = [await memory.act(lambda: off_loop(thread_name), f"worker/{k}") for k in (0, 1)]

    assert names == ["worker/0_0", "worker/1_0"]


async def test_outside_an_actor_work_leaves_the_loops_thread() -> None:
    assert await off_loop(thread_name) != thread_name()


async def test_an_error_of_the_work_comes_back() -> None:
    with pytest.raises(KeyError, match="diverged"):
        await off_loop(fail, "diverged", kind=KeyError)


async def test_the_executor_is_told_the_name_of_the_work() -> None:
    executor = Names()

    found = [
        await off_loop(work, 7)
        for work in (abs, lambda x: -x, partial(pow, 2), Job("gradient", partial(pow, 3)))
    ]

    assert found == [7, -7, 128, 2187]
    assert executor.names == ["abs", "<lambda>", "partial", "gradient"]


def test_a_job_is_called_like_its_function() -> None:
    job = Job("fail", fail)

    with pytest.raises(KeyError, match="diverged"):
        job("diverged", kind=KeyError)


async def test_messages_are_handled_while_the_work_goes_on(memory: World) -> None:
    release = threading.Event()

    class Worker:
        async def heavy(self) -> str:
            await off_loop(release.wait)
            return "done"

    class Other:
        async def release(self) -> None:
            release.set()

    worker, other = memory.spawn("worker/0", Worker), memory.spawn("other/0", Other)
    heavy = asyncio.ensure_future(worker.heavy())
    await other.release()

    assert await heavy == "done"


async def test_work_queues_behind_cancelled_work_of_the_same_actor(memory: World) -> None:
    release, order = threading.Event(), []

    def first() -> None:
        release.wait()
        order.append("first")

    async def play() -> None:
        heavy = asyncio.ensure_future(off_loop(first))
        await asyncio.sleep(0)
        heavy.cancel()
        then = asyncio.ensure_future(off_loop(order.append, "second"))
        await asyncio.sleep(0)
        release.set()
        await then

    await memory.act(play)

    assert order == ["first", "second"]


async def test_what_the_work_reports_is_the_actors(memory: World) -> None:
    await memory.act(lambda: off_loop(report, 3, loss=0.5), "worker/0")

    assert memory.reports == [("worker/0", 3, {"loss": 0.5})]
