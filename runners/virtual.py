"""An event loop whose time is virtual: waiting costs nothing, and the same run goes alike."""

from __future__ import annotations

import asyncio
import gc
import heapq
import math
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, TypeVarTuple, Unpack

from tether.actors.context import acting

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

STILL = 5_000_000
"""Callbacks at one moment after which time is taken to stand still for ever."""
CLEARING = 60.0
"""Virtual seconds in which all that is left at the end may end by itself."""
COLLECTED = (50_000, 10, 10)
"""After how many objects the collector looks at the youngest, and how often at those before."""
CANCELLED = 100
"""Cancelled timers that are kept at least before the heap is cleared of them."""

Gate = Callable[[Context, asyncio.Handle], bool]
"""Tells whether a callback may run now; it keeps those that may run later."""


class Standstill(RuntimeError):
    """Nothing can happen any more, or time does not move."""


class Inline(Protocol):
    """An executor that computes in the loop's own thread, and charges virtual time for it."""

    def begin(self, job: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run a job when the executor is free; the future ends when its time is over."""
        ...


class VirtualTask(asyncio.Task[T]):
    """A task that is ordered in sets by its number, so that they are gone through alike."""

    def __init__(
        self,
        number: int,
        coroutine: Coroutine[Any, Any, T],
        *,
        loop: asyncio.AbstractEventLoop,
        context: Context | None = None,
        name: str | None = None,
    ) -> None:
        self.number = number
        self.coroutine = coroutine
        self.context = copy_context() if context is None else context
        super().__init__(coroutine, loop=loop, context=self.context, name=name)

    def __hash__(self) -> int:
        return self.number

    def abandon(self) -> None:
        """Forget a task that will never run again, and say nothing when it is destroyed."""
        self._log_destroy_pending = False
        asyncio.tasks._unregister_task(self)


class VirtualFuture(asyncio.Future[T]):
    """A future that is ordered in sets by its number."""

    def __init__(self, number: int, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.number = number

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready, and when nothing is, moves time on to the next timer.

    There are no sockets, no signals and no other threads in it: what waits for the real world
    waits for ever, which raises `Standstill`.
    """

    if TYPE_CHECKING:
        _ready: deque[asyncio.Handle]
        _stopping: bool
        _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__()
        self.gate: Gate | None = None
        self.events = 0
        """Callbacks run so far."""
        self.checks: list[Callable[[], None]] = []
        """Called between two callbacks, each time `check_every` of them have run."""
        self.check_every = 1000
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        """A heap; those of one moment are in the order they were made."""
        self._moved = 0
        self._checked = 0
        self._numbers = count(1)
        self.set_task_factory(self._new_task)

    def time(self) -> float:
        """Return the virtual time, in seconds since the loop was made."""
        return self._now

    def _new_task(
        self, _loop: asyncio.AbstractEventLoop, coroutine: Any, **given: Any
    ) -> asyncio.Future[Any]:
        given.pop("eager_start", None)
        return VirtualTask(next(self._numbers), coroutine, loop=self, **given)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return VirtualFuture(next(self._numbers), loop=self)

    def tasks(self) -> list[VirtualTask[Any]]:
        """Return all tasks that have not ended, in the order they were made."""
        tasks = [task for task in asyncio.all_tasks(self) if isinstance(task, VirtualTask)]
        return sorted(tasks, key=lambda task: task.number)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback at a moment, after all that were to run then before."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Compute inline: in an `Inline` executor when it is free, in any other one at once."""
        job = partial(func, *args) if args else func
        if executor is not None and hasattr(executor, "begin"):
            return executor.begin(job)  # type: ignore[no-any-return]
        done: asyncio.Future[T] = self.create_future()
        settle(done, job)
        return done

    def resume(self, held: Iterable[asyncio.Handle]) -> None:
        """Run callbacks that a gate has kept."""
        self._ready.extend(held)

    def _run_once(self) -> None:
        """Run all that is ready now; called by `run_forever` again and again."""
        self._forget_cancelled()
        ready, timers = self._ready, self._timers
        if not ready:
            self._move()
        while timers and timers[0][0] <= self._now:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False  # type: ignore[attr-defined]
            ready.append(timer)
        self._run_ready(ready)
        if (still := self.events - self._moved) > STILL:
            self._moved = self.events
            raise Standstill(
                f"{still} callbacks have run at {self._now:g} s of virtual "
                f"time, and it does not move; the last one is {_whose(self._last)}; let it wait, "
                "or give its computing a time"
            )

    def _run_ready(self, ready: deque[asyncio.Handle]) -> None:
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if self.gate is not None and not self.gate(handle._context, handle):  # type: ignore[attr-defined]
                continue
            self.events += 1
            self._last = handle
            handle._run()
            if self.events - self._checked >= self.check_every:
                self._checked = self.events
                for check in self.checks:
                    check()

    def _move(self) -> None:
        """Move time on to the next timer."""
        if self._stopping:
            return
        if not self._timers or self._timers[0][0] == math.inf:
            names = ", ".join(task.get_name() for task in self.tasks()[:8]) or "no task"
            raise Standstill(
                f"nothing can happen any more after {self._now:g} s of virtual time, but {names} "
                "waits; what waits for a socket, a thread or the real clock waits for ever here"
            )
        self._now = max(self._now, self._timers[0][0])
        self._moved = self.events

    def _forget_cancelled(self) -> None:
        timers = self._timers
        if len(timers) > CANCELLED and self._timer_cancelled_count * 2 > len(timers):
            timers[:] = [entry for entry in timers if not entry[2].cancelled()]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0
        while timers and timers[0][2].cancelled():
            self._timer_cancelled_count -= 1
            heapq.heappop(timers)

    def _process_events(self, event_list: Any) -> None:
        """There are none: nothing comes from outside."""

    def _write_to_self(self) -> None:
        """Nobody has to be woken."""


def _whose(handle: asyncio.Handle) -> str:
    context: Context = handle._context  # type: ignore[attr-defined]
    who = context.get(acting)
    return who.cell.name if who is not None else repr(handle)


def settle(done: asyncio.Future[T], job: Callable[[], T]) -> None:
    """Run a job, and end a future with what it returns or raises."""
    try:
        result = job()
    except Exception as error:
        if not done.cancelled():
            done.set_exception(error)
    else:
        if not done.cancelled():
            done.set_result(result)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, as `asyncio.run` does in real time."""
    with _unhurried(), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        try:
            return runner.run(main)
        finally:
            _clear(runner.get_loop())


@contextmanager
def _unhurried() -> Iterator[None]:
    """Have the collector leave alone what is there, and look less often at what comes.

    A simulation makes few rings and very many objects: looking at them costs up to a quarter of it.
    """
    before = gc.get_threshold()
    _before.freeze()
    gc.set_threshold(*COLLECTED)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.collect()  # of what the run has made only, which takes a moment
        gc.unfreeze()


class Heap:
    """What is in memory before a run: garbage is looked for when it has grown by a quarter."""

    def __init__(self) -> None:
        self._known = 0

    def freeze(self) -> None:
        """Have the collector leave alone all there is, but for what nobody needs any more."""
        gc.freeze()
        if sys.getallocatedblocks() * 4 > self._known * 5:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._known = sys.getallocatedblocks()


_before = Heap()


def _clear(loop: asyncio.AbstractEventLoop) -> None:
    """End all tasks that are left; those that do not end in time are let go of."""
    assert isinstance(loop, VirtualLoop)
    end = loop.time() + CLEARING
    while (tasks := loop.tasks()) and loop.time() < end:
        for task in tasks:
            task.cancel()
        loop.call_later(CLEARING / 10, loop.stop)
        with suppress(Standstill):  # what made it stand still may go on doing so
            loop.run_forever()
            continue
        break
    for task in loop.tasks():
        task.abandon()
        task.coroutine.close()
