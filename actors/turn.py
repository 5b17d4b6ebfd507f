"""An actor's turn: one message, or one batch of them, handled from decoding to the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tether.actors import debug
from tether.actors.context import Acting, acting, deadline
from tether.actors.handlers import Batch, Handler
from tether.actors.mailbox import Delivery
from tether.actors.message import Body, Kind

if TYPE_CHECKING:
    from tether.actors.cell import Cell

ASK = Kind.ASK
"""Looking a member up costs more than the comparison."""

log = logging.getLogger("tether")


def ours(error: BaseException) -> BaseException:
    """Return what a handler raised; raise it on when it is the actor that is being cancelled."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error
    return error


class Turn:
    """One message handled."""

    __slots__ = ("cell", "desk", "handler")

    def __init__(self, cell: Cell, handler: Handler) -> None:
        self.cell = cell
        self.desk = cell.desk
        self.handler = handler

    async def take(self, delivery: Delivery) -> None:
        """Handle a call and answer it; what it raises goes home to its caller."""
        cell, handler, message = self.cell, self.handler, delivery.message
        cell.turn += 1
        here = Acting(cell, (*message.chain, (cell.name, cell.turn)))
        acting.set(here)
        if message.deadline is not None or deadline.get() is not None:
            deadline.set(message.deadline)
        cell.current = message
        self.begin(delivery)
        try:
            args, kwargs = self.desk.arguments(handler, message.body, cell.device)
            if debug.ON:
                value = await self._watched(args, kwargs, message.body)
            else:
                value = await handler.function(cell.actor, *args, **kwargs)
            self.end(delivery, value, here)
        except (Exception, asyncio.CancelledError) as error:
            self.failed(delivery, ours(error))
        finally:
            cell.current = None

    def begin(self, delivery: Delivery) -> None:
        """Note that the handling of a call begins: from now on its outcome is not certain."""
        if self.desk.witness is not None:
            self.desk.witness.begun(self.cell, delivery)
        delivery.link.inward.start(delivery.message.number)

    def end(self, delivery: Delivery, value: Any, here: Acting) -> None:
        """Send an ask its answer, and book the call as handled."""
        desk, link, message = self.desk, delivery.link, delivery.message
        if desk.witness is not None:
            desk.witness.answered(self.cell, delivery, value)
        if message.kind is ASK:
            desk.answer(self.cell, delivery, value, here)
        if desk.witness is not None:
            desk.witness.settled(link, message, None)
        link.inward.handled(message.body.size)
        desk.acknowledge(link)

    async def _watched(self, args: list[Any], kwargs: dict[str, Any], body: Body) -> Any:
        """Handle a call, and see whether the handler wrote into what it was given."""
        before = debug.checksums(body)
        value = await self.handler.function(self.cell.actor, *args, **kwargs)
        debug.check_arguments(before, body, self.cell.name, self.handler)
        return value

    def failed(self, delivery: Delivery, error: BaseException) -> None:
        """Send the failure home; where nobody waits for it, log it."""
        if self.handler.oneway:
            log.error(
                "%s: %s, sent by %s, failed",
                self.cell.name,
                self.handler.title,
                delivery.source,
                exc_info=error,
            )
        self.cell.desk.fail(self.cell, delivery, error)


class BatchTurn(Turn):
    """The calls that wait for one message, handled at once."""

    __slots__ = ("batch",)

    def __init__(self, cell: Cell, handler: Handler, batch: Batch) -> None:
        super().__init__(cell, handler)
        self.batch = batch

    async def take(self, delivery: Delivery) -> None:
        """Gather a batch around its first call, handle it, and answer each caller."""
        self.cell.turn += 1
        self.cell.current = delivery.message
        try:
            gathered = await self._gather(delivery)
            self.cell.keep_before(max(call.message.cut for call in gathered))
            calls = [call for call in gathered if self.cell.in_time(call)]
            calls, items = self._decoded(calls)
            if calls:
                await self._handle(calls, items)
        finally:
            self.cell.current = None

    async def _gather(self, first: Delivery) -> list[Delivery]:
        """Return the first call and what else is there, or comes in `max_wait` seconds."""
        mailbox, batch, method = self.cell.mailbox, self.batch, self.handler.name
        loop = asyncio.get_running_loop()
        end = loop.time() + batch.max_wait
        calls = [first, *mailbox.take(method, batch.max_size - 1)]
        while len(calls) < batch.max_size and (left := end - loop.time()) > 0:
            if not await mailbox.arrival(left):
                break
            calls += mailbox.take(method, batch.max_size - len(calls))
        return calls

    def _decoded(self, calls: list[Delivery]) -> tuple[list[Delivery], list[Any]]:
        """Return the calls whose one argument could be decoded, and the arguments."""
        good: list[Delivery] = []
        items: list[Any] = []
        for call in calls:
            try:
                items.append(self._item(call))
                good.append(call)
            except Exception as error:
                self.failed(call, error)
        return good, items

    def _item(self, call: Delivery) -> Any:
        args, kwargs = self.cell.desk.arguments(self.handler, call.message.body, self.cell.device)
        given = [*args, *kwargs.values()]
        if len(given) != 1:
            raise TypeError(
                f"{self.handler.title} is batched, so a call has one argument, not {len(given)}"
            )
        return given[0]

    async def _handle(self, calls: list[Delivery], items: list[Any]) -> None:
        message = calls[0].message
        here = Acting(self.cell, (*message.chain, (self.cell.name, self.cell.turn)))
        acting.set(here)
        deadline.set(None)
        for call in calls:
            self.begin(call)
        try:
            argument = self._stacked(items) if self.batch.stack else items
            answers = await self.handler.function(self.cell.actor, argument)
            self._count(answers, calls)
        except (Exception, asyncio.CancelledError) as error:
            for call in calls:
                self.failed(call, ours(error))
            return
        for call, value in zip(calls, answers, strict=True):
            if isinstance(value, Exception):
                self.failed(call, value)
            else:
                self._answer(call, value, here)

    def _answer(self, call: Delivery, value: Any, here: Acting) -> None:
        try:
            self.end(call, value, here)
        except Exception as error:
            self.failed(call, error)

    def _count(self, answers: Sequence[Any], calls: list[Delivery]) -> None:
        if len(answers) != len(calls):
            raise ValueError(
                f"{self.handler.title} was given {len(calls)} calls, but answered {len(answers)}"
            )

    def _stacked(self, items: list[Any]) -> Any:
        """Stack the callers' tensors in one buffer that is made once and grows as needed."""
        import torch

        first = items[0]
        shape = (self.batch.max_size, *first.shape)
        buffer = self.cell.stacks.get(self.handler.name)
        if buffer is None or buffer.shape != shape or buffer.dtype != first.dtype:
            buffer = torch.empty(shape, dtype=first.dtype, device=first.device)
            self.cell.stacks[self.handler.name] = buffer
        return torch.stack(items, out=buffer[: len(items)])
