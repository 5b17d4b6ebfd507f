"""A simulated world's time, chance and threads: all virtual, and all drawn from one seed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from random import Random
from typing import Any, ParamSpec, Protocol, TypeVar

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
        self._free = 0.0

    def begin(self, job: Callable[[], Any]) -> asyncio.Future[Any]:
        """Do a piece of work when those before it are done."""
        done = self._loop.create_future()
        now = self._loop.time()
        begins, piece = max(now, self._free), getattr(job, "name", "")
        sampler = self._samplers.get(piece)
        takes = 0.0 if sampler is None else sampler() * self._pace(self.name)
        if begins + takes <= now:
            self._do(done, job, piece)
            return done
        self._free = begins + takes
        self._overseer.took(self.name, piece, begins, self._free)
        if begins <= now:
            self._compute(done, job, piece, self._free)
        else:
            self._loop.call_at(begins, self._compute, done, job, piece, self._free)
        return done

    def _compute(
        self, done: asyncio.Future[Any], job: Callable[[], Any], piece: str, ends: float
    ) -> None:
        result: asyncio.Future[Any] = self._loop.create_future()
        self._do(result, job, piece)
        self._loop.call_at(ends, _pass_on, result, done)

    def _do(self, result: asyncio.Future[Any], job: Callable[[], Any], piece: str) -> None:
        self._overseer.before(self.name, piece)
        settle(result, job)
        self._overseer.after(self.name, piece)

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
    if error is not None:
        passed.set_exception(error)
    else:
        passed.set_result(done.result())
