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

if TYPE_CHECKING:
    from tether.actors.cell import Cell

log = logging.getLogger("tether")


def ours(error: BaseException) -> BaseException:
    """Return what a handler raised; raise it on when it is the actor that is being cancelled."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error
    return error


class Turn:
    """One message handled."""

    __slots__ = ("cell", "handler")

    def __init__(self, cell: Cell, handler: Handler) -> None:
        self.cell = cell
        self.handler = handler

    async def take(self, delivery: Delivery) -> None:
        """Handle a call and answer it; what it raises goes home to its caller."""
        cell, message = self.cell, delivery.message
        cell.turn += 1
        here = Acting(cell, (*message.chain, (cell.name, cell.turn)))
        acting.set(here)
        deadline.set(message.deadline)
        cell.current = message
        cell.desk.begin(cell, delivery)
        try:
            args, kwargs = cell.desk.arguments(self.handler, message.body, cell.device)
            before = debug.checksums(message.body) if debug.ON else None
            value = await self.handler.function(cell.actor, *args, **kwargs)
            debug.check_arguments(before, message.body, cell.name, self.handler)
            cell.desk.answer(cell, delivery, value, here)
        except (Exception, asyncio.CancelledError) as error:
            self.failed(delivery, ours(error))
        finally:
            cell.current = None

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
            self.cell.desk.begin(self.cell, call)
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
            self.cell.desk.answer(self.cell, call, value, here)
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
