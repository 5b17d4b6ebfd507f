"""One running actor: it handles a message at a time, and lives its own life in `run()`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from tether.actors.context import Acting, acting, deadline
from tether.actors.errors import CallCycle
from tether.actors.handlers import Handler
from tether.actors.mailbox import Delivery, Errand, Mailbox
from tether.actors.message import Message
from tether.actors.turn import BatchTurn, Turn, ours

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from random import Random

    from tether.actors.clock import Clock
    from tether.actors.memory import Pool
    from tether.actors.message import Body

TURNS = 16
"""Messages handled in a row before the loop gets its turn."""
CYCLE_AFTER = 1.0
"""Seconds a call may wait for a handler that itself waits for it, before it is called a cycle."""

log = logging.getLogger("tether")


class Desk(Protocol):
    """What a cell asks of its process."""

    clock: Clock
    pool: Pool
    recorded: Callable[[str, int | None, dict[str, float]], None]

    def arguments(
        self, handler: Handler, body: Body, device: str
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return a call's arguments, decoded."""
        ...

    def answer(self, cell: Cell, delivery: Delivery, value: Any, here: Acting) -> None:
        """Send an ask its answer; booked as handled."""
        ...

    def fail(self, cell: Cell, delivery: Delivery, error: BaseException) -> None:
        """Send an ask its failure; booked as handled."""
        ...

    def drop(self, cell: Cell, delivery: Delivery, why: str, error: Exception | None) -> None:
        """Book a call as dropped, and tell its asker why."""
        ...


class Cell:
    """An actor object with its mailbox, its task, its chance and its thread."""

    def __init__(self, name: str, desk: Desk, device: str = "cpu") -> None:
        self.name = name
        self.desk = desk
        self.device = device
        self.actor: Any = None
        self.handlers: dict[str, Handler] = {}
        self.mailbox = Mailbox()
        self.current: Message | None = None
        self.stacks: dict[str, Any] = {}
        self._executor: Executor | None = None
        self._random: Random | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pool(self) -> Pool:
        """The transport memory of the actor's process."""
        return self.desk.pool

    @property
    def random(self) -> Random:
        """The actor's own generator."""
        if self._random is None:
            self._random = self.desk.clock.random(self.name)
        return self._random

    def executor(self) -> Executor:
        """Return the actor's own thread."""
        if self._executor is None:
            self._executor = self.desk.clock.executor(self.name)
        return self._executor

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being handled."""
        return not self.mailbox and self.current is None

    def record(self, step: int | None, metrics: dict[str, float]) -> None:
        """Take what the actor reports."""
        self.desk.recorded(self.name, step, metrics)

    def start(self) -> None:
        """Begin to handle messages."""
        self._tasks.append(asyncio.create_task(self._serve(), name=f"{self.name} serves"))

    def live(self, ended: Callable[[str, BaseException | None], None]) -> bool:
        """Begin the actor's own life, if it has one, and say how it ended; tell whether it has."""
        if not hasattr(self.actor, "run"):
            return False

        def done(task: asyncio.Task[None]) -> None:
            ended(self.name, asyncio.CancelledError() if task.cancelled() else task.exception())

        task = asyncio.create_task(self._live(), name=f"{self.name} runs")
        task.add_done_callback(done)
        self._tasks.append(task)
        return True

    async def stop_life(self) -> None:
        """Cancel `run()` and wait for its end and its thread's; messages are still handled."""
        await _cancelled(self._tasks[1:])
        if self._executor is not None:
            await asyncio.wrap_future(self._executor.submit(_nothing))

    async def stop(self) -> None:
        """Cancel all the actor does."""
        await _cancelled(self._tasks)
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def _live(self) -> None:
        acting.set(Acting(self))
        await self.actor.run()

    def deliver(self, source: str, message: Message) -> None:
        """Queue a call."""
        handler = self.handlers.get(message.method)
        if handler is not None and handler.keep_latest:
            older = self.mailbox.supersede(source, message.method)
            if older is not None:
                self.desk.drop(self, Delivery(source, older), "superseded", None)
        delivery = Delivery(source, message)
        self.mailbox.put(delivery)
        if self.current is not None and (self.name, self.current.number) in message.chain:
            asyncio.get_running_loop().call_later(
                CYCLE_AFTER, self._break_cycle, delivery, self.current
            )

    def _break_cycle(self, delivery: Delivery, waiting: Message) -> None:
        """Refuse a call whose caller the current handler waits for: neither would ever go on."""
        if self.current is not waiting:
            return
        message = self.mailbox.remove(delivery.source, delivery.message.number)
        if message is not None:
            names = [name for name, _ in message.chain]
            ring = " → ".join([*names[names.index(self.name) :], self.name])
            self.desk.drop(self, delivery, "cycle", CallCycle(f"handlers wait in a ring: {ring}"))

    def withdraw(self, source: str, number: int) -> None:
        """Drop a call nobody waits for, unless it has started."""
        message = self.mailbox.remove(source, number)
        if message is not None:
            error = TimeoutError("the call was cancelled before it was handled")
            self.desk.drop(self, Delivery(source, message), "cancelled", error)

    def post(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Have something done as one of the actor's messages."""
        self.mailbox.put(Errand(function, args))

    async def _serve(self) -> None:
        while True:
            for _ in range(TURNS):
                if not self.mailbox:
                    await self.mailbox.arrival()
                await self._handle(self.mailbox.pop())
            await asyncio.sleep(0)

    async def _handle(self, item: Delivery | Errand) -> None:
        if isinstance(item, Errand):
            await self._run_errand(item)
            return
        message = item.message
        handler = self.handlers.get(message.method)
        if handler is None:
            self.desk.fail(
                self, item, AttributeError(f"{self.name} has no message {message.method}")
            )
        elif not self.in_time(item):
            return
        elif handler.batch is not None:
            await BatchTurn(self, handler, handler.batch).take(item)
        else:
            await Turn(self, handler).take(item)

    def in_time(self, delivery: Delivery) -> bool:
        """Tell whether a call's time is not over; drop it if it is."""
        end = delivery.message.deadline
        if end is None or asyncio.get_running_loop().time() < end:
            return True
        title = self.handlers[delivery.message.method].title
        error = TimeoutError(f"the time of {title} was over before it was handled")
        self.desk.drop(self, delivery, "expired", error)
        return False

    async def _run_errand(self, errand: Errand) -> None:
        acting.set(Acting(self))
        deadline.set(None)
        try:
            await errand.function(*errand.args)
        except (Exception, asyncio.CancelledError) as error:
            ours(error)
            log.exception("%s: %s failed", self.name, errand.function.__qualname__)


def _nothing() -> None:
    """Stand at the end of a thread's queue."""


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
