"""An actor's turn: one message, or one batch of them, handled from decoding to the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tether.actors import debug, forms
from tether.actors.context import Acting, acting, deadline
from tether.actors.handlers import Batch, Handler
from tether.actors.message import OVERHEAD, Body, Kind, Message
from tether.actors.plain import plain_arguments

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

    async def take(self, message: Message, limit: int) -> int:
        """Handle a call and answer it; what it raises goes home to its caller.

        Up to `limit` calls are handled in a row where those behind it are alike; return how many.
        """
        cell, desk, handler, witness = self.cell, self.desk, self.handler, self.desk.witness
        actor, function, taken = cell.actor, handler.function, 0
        while True:
            taken += 1
            turn = cell.turn = cell.turn + 1
            here = Acting(cell, message.chain, turn)
            acting.set(here)
            if message.deadline is not None or deadline.get() is not None:
                deadline.set(message.deadline)
            cell.current = message
            if witness is not None:
                witness.begun(cell, message)
            body, inward = message.body, message.link.inward
            inward.start(message.number)
            try:
                if body.plain and not body.parts:
                    args, kwargs = plain_arguments(body)
                else:
                    args, kwargs = desk.arguments(handler, body, cell.device)
                if kwargs or debug.ON:
                    value = await self._called(args, kwargs, body)
                else:
                    value = await function(actor, *args)
                if message.kind is ASK or witness is not None:
                    self.end(message, value, here)
                elif inward.handled(OVERHEAD + len(body.data) if not body.parts else body.size):
                    desk.acknowledge(message.link)
                del value  # or what it holds would be kept while the next one is handled
            except (Exception, asyncio.CancelledError) as error:
                self.failed(message, ours(error))
            finally:
                cell.current = None
            if taken == limit or (following := cell.following(handler)) is None:
                return taken
            message = following

    def end(self, message: Message, value: Any, here: Acting) -> None:
        """Send an ask its answer, and book the call as handled."""
        desk, link = self.desk, message.link
        if desk.witness is not None:
            desk.witness.answered(self.cell, message, value)
        if message.kind is ASK:
            desk.answer(self.cell, message, value, here)
        if desk.witness is not None:
            desk.witness.settled(link, message, None)
        body = message.body
        if link.inward.handled(body.size if body.parts else OVERHEAD + len(body.data)):
            desk.acknowledge(link)

    async def _called(self, args: list[Any], kwargs: dict[str, Any], body: Body) -> Any:
        """Call the handler; where that is looked for, see whether it wrote into what it got."""
        before = debug.checksums(body) if debug.ON else None
        value = await self.handler.function(self.cell.actor, *args, **kwargs)
        debug.check_arguments(before, body, self.cell.name, self.handler)
        return value

    def failed(self, message: Message, error: BaseException) -> None:
        """Send the failure home; where nobody waits for it, log it."""
        if self.handler.oneway:
            log.error(
                "%s: %s, sent by %s, failed",
                self.cell.name,
                self.handler.title,
                message.source,
                exc_info=error,
            )
        self.desk.fail(self.cell, message, error)


class BatchTurn(Turn):
    """The calls that wait for one message, handled at once."""

    __slots__ = ("batch",)

    def __init__(self, cell: Cell, handler: Handler, batch: Batch) -> None:
        super().__init__(cell, handler)
        self.batch = batch

    async def take(self, message: Message, limit: int) -> int:  # noqa: ARG002 - it is one turn
        """Gather a batch around its first call, handle it, and answer each caller."""
        self.cell.turn += 1
        self.cell.current = message
        try:
            gathered = await self._gather(message)
            self.cell.keep_before(max(call.cut for call in gathered))
            calls = [call for call in gathered if self.cell.in_time(call)]
            items = self._laid_out(calls)
            if items is None:
                calls, items = self._decoded(calls)
            if calls:
                await self._handle(calls, items)
        finally:
            self.cell.current = None
        return 1

    async def _gather(self, first: Message) -> list[Message]:
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

    def _laid_out(self, calls: list[Message]) -> Any:
        """Return the callers' tensors in one, straight from the bytes that came; None if none."""
        if not (calls and self.batch.stack and self.cell.device == "cpu"):
            return None
        try:
            return forms.stacked([call.body for call in calls], self._room)
        except Exception:  # the longer way fails too, and says for whom
            return None

    def _decoded(self, calls: list[Message]) -> tuple[list[Message], list[Any]]:
        """Return the calls whose one argument could be decoded, and the arguments."""
        good: list[Message] = []
        items: list[Any] = []
        for call in calls:
            try:
                items.append(self._item(call))
                good.append(call)
            except Exception as error:
                self.failed(call, error)
        return good, items

    def _item(self, call: Message) -> Any:
        args, kwargs = self.cell.desk.arguments(self.handler, call.body, self.cell.device)
        given = [*args, *kwargs.values()]
        if len(given) != 1:
            raise TypeError(
                f"{self.handler.title} is batched, so a call has one argument, not {len(given)}"
            )
        return given[0]

    async def _handle(self, calls: list[Message], items: Any) -> None:
        message = calls[0]
        here = Acting(self.cell, message.chain, self.cell.turn)
        acting.set(here)
        deadline.set(None)
        for call in calls:
            self._begin(call)
        try:
            stack = self.batch.stack and isinstance(items, list)
            argument = self._stacked(items) if stack else items
            answers = await self.handler.function(self.cell.actor, argument)
            self._count(answers, calls)
        except (Exception, asyncio.CancelledError) as error:
            for call in calls:
                self.failed(call, ours(error))
            return
        rows = self.batch.stack and not self.handler.oneway
        if rows and self.desk.answer_rows(calls, answers):
            for call in calls:
                self._book(call)
            return
        for call, value in zip(calls, answers, strict=True):
            if isinstance(value, Exception):
                self.failed(call, value)
            else:
                self._answer(call, value, here)

    def _begin(self, message: Message) -> None:
        """Note that the handling of a call begins: from now on its outcome is not certain."""
        if self.desk.witness is not None:
            self.desk.witness.begun(self.cell, message)
        message.link.inward.start(message.number)

    def _book(self, call: Message) -> None:
        """Book a call as handled that was answered together with others."""
        if call.link.inward.handled(call.body.size):
            self.desk.acknowledge(call.link)

    def _answer(self, call: Message, value: Any, here: Acting) -> None:
        try:
            self.end(call, value, here)
        except Exception as error:
            self.failed(call, error)

    def _count(self, answers: Sequence[Any], calls: list[Message]) -> None:
        if len(answers) != len(calls):
            raise ValueError(
                f"{self.handler.title} was given {len(calls)} calls, but answered {len(answers)}"
            )

    def _stacked(self, items: list[Any]) -> Any:
        """Return the callers' tensors in one."""
        import torch

        return torch.stack(items, out=self._room(items[0])[: len(items)])

    def _room(self, like: Any) -> Any:
        """Return the memory in which tensors like this one are stacked: it is kept for the next."""
        import torch

        shape = (self.batch.max_size, *like.shape)
        buffer = self.cell.stacks.get(self.handler.name)
        if buffer is None or buffer.shape != shape or buffer.dtype != like.dtype:
            buffer = torch.empty(shape, dtype=like.dtype, device=like.device)
            self.cell.stacks[self.handler.name] = buffer
        return buffer
