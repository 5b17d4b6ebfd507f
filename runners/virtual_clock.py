"""A simulated world's time, chance and threads: all virtual, and all drawn from one seed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from random import Random
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from tether.runners.distribution import Distribution, Sampler
from tether.runners.virtual import VirtualLoop, settle

P = ParamSpec("P")
R = TypeVar("R")

EPOCH = 946_684_800.0
"""When a simulation begins, for people to read: the first second of the year 2000, UTC."""

Costs = Callable[[str], Mapping[str, Distribution]]
"""Tells, for an actor, how many seconds each piece of its work takes, by its name."""
Pace = Callable[[str], float]
"""Tells how many times slower than usual an actor computes now."""


class Overseer(Protocol):
    """Sees all that is computed off the loops, at the moment it is computed."""

    def before(self, name: str, work: str) -> None:
        """See a piece of an actor's work about to be computed."""
        ...

    def after(self, name: str, work: str) -> None:
        """See it computed."""
        ...

    def took(self, name: str, work: str, begins: float, ends: float) -> None:
        """See from when to when it is taken to last, in seconds, if it takes any time."""
        ...


class VirtualClock:
    """The clock of a simulated process; `overseer` sees all that is computed."""

    def __init__(
        self, loop: VirtualLoop, seed: int, costs: Costs, pace: Pace, overseer: Overseer
    ) -> None:
        self.loop = loop
        self.seed = seed
        self._costs = costs
        self._pace = pace
        self._overseer = overseer
        self._tokens = self.random("tokens")

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        return self.loop.time()

    def wall(self) -> float:
        """Return the virtual time as seconds since 1970."""
        return EPOCH + self.loop.time()

    def token(self) -> str:
        """Return 16 hexadecimal digits, the next of the seed's own."""
        return f"{self._tokens.getrandbits(64):016x}"

    def random(self, stream: str) -> Random:
        """Return the stream's generator, seeded by (seed, stream)."""
        return Random(f"{self.seed}/{stream}")

    def executor(self, name: str) -> VirtualThread:
        """Return the thread of an actor, or of a process's writer of checkpoints."""
        random = self.random(f"work of {name}")
        samplers = {
            piece: cost.sampler(random)
            for piece, cost in self._costs(name).items()
            if not cost.is_zero
        }
        return VirtualThread(name, self.loop, samplers, self._pace, self._overseer)


class Piece(NamedTuple):
    """A piece of work: its name, what it is, and what ends when it is done."""

    name: str
    job: Callable[[], Any]
    done: asyncio.Future[Any]


class VirtualThread(Executor):
    """Does one piece of work after the other, in no real thread and in virtual time.

    A piece is computed at the moment it begins, and its result is there when its time is over.
    """

    def __init__(
        self,
        name: str,
        loop: VirtualLoop,
        samplers: Mapping[str, Sampler],
        pace: Pace,
        overseer: Overseer,
    ) -> None:
        self.name = name
        self._loop = loop
        self._samplers = samplers
        self._pace = pace
        self._overseer = overseer
        self._queue: deque[Piece] = deque()
        self._busy = False

    def begin(self, job: Callable[[], Any]) -> asyncio.Future[Any]:
        """Do a piece of work when those before it are done."""
        done = self._loop.create_future()
        self._queue.append(Piece(getattr(job, "name", ""), job, done))
        if not self._busy:
            self._next()
        return done

    def _next(self) -> None:
        """Do what waits, up to the first that takes time; nobody waits for what was taken back."""
        self._busy = False
        while self._queue and not self._busy:
            piece = self._queue.popleft()
            if not piece.done.cancelled():
                self._do(piece)

    def _do(self, piece: Piece) -> None:
        sampler = self._samplers.get(piece.name)
        takes = 0.0 if sampler is None else sampler() * self._pace(self.name)
        now = self._loop.time()
        ends = now + takes
        result = self._loop.create_future() if ends > now else piece.done
        self._overseer.before(self.name, piece.name)
        settle(result, piece.job)
        self._overseer.after(self.name, piece.name)
        if ends > now:
            self._busy = True
            self._overseer.took(self.name, piece.name, now, ends)
            self._loop.call_at(ends, self._done, result, piece.done)

    def _done(self, result: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        _pass_on(result, done)
        self._next()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Do a piece of work; the future is one of threads, as executors have them."""
        passed: Future[R] = Future()
        done = self.begin(lambda: fn(*args, **kwargs))
        done.add_done_callback(lambda ended: _hand_over(ended, passed))
        return passed


def _pass_on(result: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
    """End a future as another one has ended, unless nobody waits for it any more."""
    error = result.exception()
    if done.cancelled():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result.result())


def _hand_over(done: asyncio.Future[Any], passed: Future[Any]) -> None:
    error = done.exception()
    if not passed.set_running_or_notify_cancel():
        return
    if error is not None:
        passed.set_exception(error)
    else:
        passed.set_result(done.result())
