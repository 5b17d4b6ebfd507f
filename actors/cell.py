"""One running actor: it handles a message at a time, and lives its own life in `run()`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from tether.actors.context import Acting, acting, deadline
from tether.actors.handlers import Handler
from tether.actors.link import Link
from tether.actors.mailbox import Errand, Mailbox
from tether.actors.message import Message
from tether.actors.turn import BatchTurn, Turn, ours

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from random import Random

    from tether.actors.clock import Clock
    from tether.actors.memory import Pool
    from tether.actors.message import Body
    from tether.actors.witness import Witness

TURNS = 16
"""Messages handled in a row before the loop gets its turn."""

log = logging.getLogger("tether")


class Desk(Protocol):
    """What a cell asks of its process."""

    clock: Clock
    pool: Pool
    recorded: Callable[[str, int | None, dict[str, float]], None]
    keep: Callable[[Cell, int], None]
    """Keeps a cell's state as it is now, for a round of checkpoints."""
    witness: Witness | None

    def arguments(
        self, handler: Handler, body: Body, device: str
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return a call's arguments, decoded."""
        ...

    def acknowledge(self, link: Link) -> None:
        """Tell the other side, in due time, what was settled of it."""
        ...

    def answer(self, cell: Cell, message: Message, value: Any, here: Acting) -> None:
        """Send an ask its answer; booked as handled."""
        ...

    def answer_rows(self, asks: list[Message], values: Any) -> bool:
        """Send each ask its row of one tensor; tell whether that could be done at once."""
        ...

    def fail(self, cell: Cell, message: Message, error: BaseException) -> None:
        """Send an ask its failure; booked as handled."""
        ...

    def drop(self, cell: Cell, message: Message, why: str, error: Exception | None) -> None:
        """Book a call as dropped, and tell its asker why."""
        ...


class Cell:
    """An actor object with its mailbox, its task, its chance and its thread."""

    def __init__(self, name: str, desk: Desk, device: str = "cpu", incarnation: int = 1) -> None:
        self.name = name
        self.incarnation = incarnation
        self.desk = desk
        self.device = device
        self.actor: Any = None
        self.handlers: dict[str, Handler] = {}
        self.superseding: frozenset[str] = frozenset()
        """The messages of which a newer one takes the place of one that waits."""
        self.mailbox = Mailbox()
        self.current: Message | Errand | None = None
        """What is being handled."""
        self.turn = 0
        """How many messages and errands have been begun: names the one at hand."""
        self._turns: dict[str, Turn] = {}
        self.stacks: dict[str, Any] = {}
        self.cut = 0
        """The last round of checkpoints in which its state was kept."""
        self.due = 0
        """The round in which it is to be kept next."""
        self.stopped = False
        """Whether all it did has ended; what its author's tasks still do is nobody's."""
        self._stopping = False
        self._leaving = False
        self._life: asyncio.Task[None] | None = None
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

    @property
    def doing(self) -> str:
        """The name of the method that is being run for a message or an errand; empty for none."""
        if isinstance(self.current, Errand):
            return getattr(self.current.function, "__name__", "")
        return self.current.method if self.current else ""

    @property
    def lives(self) -> bool:
        """Whether its `run()` goes on."""
        return self._life is not None and not self._life.done()

    @property
    def passive(self) -> bool:
        """Whether it only handles messages: it has no `run()`, or that is over."""
        return self._life.done() if self._life else not hasattr(self.actor, "run")

    def record(self, step: int | None, metrics: dict[str, float], *, boundary: bool) -> None:
        """Take what the actor reports; between two reports of its life lies a step."""
        if self.stopped:
            return
        self.desk.recorded(self.name, step, metrics)
        if boundary and asyncio._get_running_loop() is not None:
            if self.due > self.cut:
                self.keep(self.due)
            if self._leaving and self._life is not None:
                self._life.cancel()
                raise asyncio.CancelledError  # here, before the next step sends anything

    def keep(self, cut: int) -> None:
        """Have the state kept as it is now."""
        self.cut = cut
        try:
            self.desk.keep(self, cut)
        except Exception:  # an actor lives on without a checkpoint, but not without its messages
            log.exception("%s: its state could not be kept in round %d", self.name, cut)

    def keep_before(self, cut: int) -> None:
        """Have the state kept before what was sent after its sender's was, if no step is begun."""
        if cut > self.cut and not self.lives:
            self.keep(cut)

    def keep_soon(self, cut: int) -> None:
        """Have the state kept when what waits now is handled, though no later message came."""
        self.mailbox.put(Errand(self._keep_now, (cut,)))

    async def _keep_now(self, cut: int) -> None:
        self.keep_before(cut)

    def handles(self, handlers: dict[str, Handler]) -> None:
        """Learn which messages there are."""
        self.handlers = handlers
        self.superseding = frozenset(
            name for name, handler in handlers.items() if handler.keep_latest
        )

    def start(self) -> None:
        """Begin to handle messages."""
        self._tasks.append(asyncio.create_task(self._serve(), name=f"{self.name} serves"))

    def live(self, ended: Callable[[str, BaseException | None], None]) -> bool:
        """Begin the actor's own life, if it has one, and say how it ended; tell whether it has."""
        if not hasattr(self.actor, "run"):
            return False

        def done(task: asyncio.Task[None]) -> None:
            ended(self.name, asyncio.CancelledError() if task.cancelled() else task.exception())

        self._leaving = False
        self._life = asyncio.create_task(self._live(), name=f"{self.name} runs")
        self._life.add_done_callback(done)
        return True

    async def leave(self, patience: float) -> None:
        """End `run()` where its next step ends, or else after so many seconds."""
        if self._life is not None and not self._life.done():
            self._leaving = True
            await asyncio.wait([self._life], timeout=patience)
        await self.stop_life()

    async def stop_life(self) -> None:
        """Cancel `run()` and wait for its end and its thread's; messages are still handled."""
        await _cancelled([self._life] if self._life else [])
        if self._executor is not None:
            await asyncio.wrap_future(self._executor.submit(_nothing))

    def abort(self) -> None:
        """Cancel what was begun, without waiting: the actor could not be made."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Cancel all the actor does."""
        self._stopping = True
        await _cancelled([*self._tasks, *([self._life] if self._life else [])])
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self.stopped = True

    async def _live(self) -> None:
        acting.set(Acting(self, life=True))
        await self.actor.run()

    def deliver(self, link: Link, calls: Iterable[Message]) -> None:
        """Queue calls that came over a link."""
        append, superseding = self.mailbox.queue.append, self.superseding
        for call in calls:
            call.link = link
            if call.method in superseding:
                self._supersede(link.remote, call.method)
            append(call)
        self.mailbox.wake()

    def _supersede(self, source: str, method: str) -> None:
        """Drop the call that waits of those of which the newest is enough."""
        older = self.mailbox.supersede(source, method)
        if older is not None:
            self.desk.drop(self, older, "superseded", None)

    def withdraw(self, link: Link, number: int, why: str) -> None:
        """Drop a call nobody waits for, unless it has started."""
        message = self.mailbox.remove(link, number)
        if message is not None:
            error = TimeoutError("the call was cancelled before it was handled")
            self.desk.drop(self, message, why, error)

    def post(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Have something done as one of the actor's messages."""
        self.mailbox.put(Errand(function, args))

    async def _serve(self) -> None:
        queue, arrival = self.mailbox.queue, self.mailbox.arrival
        while True:
            left = TURNS
            while left > 0:
                while not queue:  # what woke it may have been taken back since
                    await arrival()
                item = queue.popleft()
                if isinstance(item, Errand):
                    await self._run_errand(item)
                elif (turn := self._turn(item)) is not None:
                    left += 1 - await turn.take(item, left)
                left -= 1
                del item  # or what it was lent would be kept until the next one comes
                if self._stopping:  # though its handler took no notice of being cancelled
                    return
            await asyncio.sleep(0)

    def following(self, handler: Handler) -> Message | None:
        """Take out the next call if it is of this message too, and to be handled at once."""
        queue = self.mailbox.queue
        if not queue or (item := queue[0]).method != handler.name or self._stopping:
            return None
        assert isinstance(item, Message)
        if item.deadline is not None or item.cut > self.cut:
            return None
        queue.popleft()
        return item

    def _turn(self, message: Message) -> Turn | None:
        """Return what handles a call; None where nothing is left to do for it."""
        if message.cut > self.cut:
            self.keep_before(message.cut)
        turn = self._turns.get(message.method)
        if turn is None:
            turn = self._made_turn(message)
        if turn is None or (message.deadline is not None and not self.in_time(message)):
            return None
        return turn

    def _made_turn(self, message: Message) -> Turn | None:
        """Return what handles a message that came for the first time; answer one there is not."""
        method = message.method
        handler = self.handlers.get(method)
        if handler is None:
            error = AttributeError(f"{self.name} has no message {method}")
            self.desk.fail(self, message, error)
            return None
        made = Turn(self, handler)
        if handler.batch is not None:
            made = BatchTurn(self, handler, handler.batch)
        self._turns[method] = made
        return made

    def in_time(self, message: Message) -> bool:
        """Tell whether a call's time is not over; drop it if it is."""
        end = message.deadline
        if end is None or asyncio.get_running_loop().time() < end:
            return True
        title = self.handlers[message.method].title
        error = TimeoutError(f"the time of {title} was over before it was handled")
        self.desk.drop(self, message, "expired", error)
        return False

    async def _run_errand(self, errand: Errand) -> None:
        self.turn += 1
        self.current = errand
        acting.set(Acting(self, (), self.turn))
        deadline.set(None)
        try:
            await errand.function(*errand.args)
        except (Exception, asyncio.CancelledError) as error:
            ours(error)
            log.exception("%s: %s failed", self.name, errand.function.__qualname__)
        finally:
            self.current = None


def _nothing() -> None:
    """Stand at the end of a thread's queue."""


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
