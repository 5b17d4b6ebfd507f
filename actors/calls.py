"""Calls that go out of a process, and the answers that come home."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count
from typing import Any

from tether.actors import codec, debug, failures
from tether.actors.asks import Ask, Asks
from tether.actors.context import acting, deadline
from tether.actors.directory import Directory
from tether.actors.errors import ActorGone
from tether.actors.handlers import Handler
from tether.actors.message import Body, Kind, Message
from tether.actors.records import answer_records
from tether.actors.ref import make_ref
from tether.actors.switch import Switch


class Calls:
    """The office of one process: where its handles hand in their calls."""

    def __init__(self, switch: Switch, directory: Directory) -> None:
        self.switch = switch
        self.directory = directory
        self._pool = switch.pool
        self._asks = Asks(self._pool)
        self._numbers = count(1)
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._asks)

    def ref(self, name: str) -> Any:
        """Return a handle on an actor; raises LookupError when the run has none of this name."""
        self.directory.place(name)
        return make_ref(name, self)

    def actor_class(self, name: str) -> type:
        """Return the class of an actor."""
        return self.directory.actor_class(name)

    async def call(
        self, name: str, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Send one message; return its answer, or None once a one-way is handed over."""
        body = self.encode(handler, args, kwargs)
        ask = self._send(name, handler, body)
        try:
            return await ask.future
        except asyncio.CancelledError:
            self._abandon(ask)
            raise

    def begin(self, name: str, handler: Handler, body: Body) -> asyncio.Future[Any]:
        """Send one encoded message; its future ends with the answer, and may be cancelled."""
        ask = self._send(name, handler, body)

        def ended(future: asyncio.Future[Any]) -> None:
            if future.cancelled():
                self._abandon(ask)

        ask.future.add_done_callback(ended)
        return ask.future

    def encode(self, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """Return arguments as they travel: an ask lends transport memory, a one-way copies."""
        lendable = codec.nothing_lendable if handler.oneway else self._pool.owns
        try:
            return codec.encode([list(args), kwargs], lendable, self._pool.take)
        except TypeError as error:
            raise TypeError(f"{handler.title}: {error}") from None

    def _send(self, name: str, handler: Handler, body: Body) -> Ask:
        here = acting.get()
        source = self.switch.origin.process if here is None else here.cell.name
        future: asyncio.Future[Any] = self._loop.create_future()
        device = "cpu" if here is None else here.cell.device
        ask = Ask(next(self._numbers), source, name, handler, body, future, device)
        why = self.directory.gone.get(name)
        if why is not None:
            future.set_exception(ActorGone(f"{name} is gone: {why}"))
            return ask
        end = deadline.get()
        if end is not None:
            ask.timer = self._loop.call_at(end, self._expire, ask)
        if handler.oneway:
            self._tell(ask, Message(Kind.TELL, ask.number, handler.name, body, end))
        else:
            chain = () if here is None else here.chain
            self._asks.open(ask)
            message = Message(Kind.ASK, ask.number, handler.name, body, end, chain)
            self.switch.send(source, name, message)
        return ask

    def _tell(self, ask: Ask, message: Message) -> None:
        if self.switch.link(ask.asker, ask.target).out.has_room(message.body.size):
            _admit(ask)
        else:
            self._asks.open(ask)
            message.admitted = partial(self._admitted, ask)
        self.switch.send(ask.asker, ask.target, message)

    def _admitted(self, ask: Ask) -> None:
        self._asks.close(ask.number)
        _admit(ask)

    def _expire(self, ask: Ask) -> None:
        if not ask.future.done():
            text = f"{ask.target}: {ask.handler.title} was not answered within the time given"
            ask.future.set_exception(TimeoutError(text))
            self._abandon(ask)

    def _abandon(self, ask: Ask) -> None:
        """Nobody waits any more: what has not started need not start."""
        if self.switch.cancel(ask.asker, ask.target, ask.number):
            self._asks.close(ask.number)

    def answered(self, source: str, target: str, message: Message) -> None:
        """Bring an answer, or a failure, to who asked."""
        ask = self._asks.close(message.number)
        if ask is None or ask.future.done():
            self.switch.link(target, source).out.books.late += 1
            return
        try:
            if message.kind is Kind.ANSWER:
                debug.check_lend(ask)
            value = self._decoded(ask, message.body)
        except Exception as error:
            ask.future.set_exception(error)
            return
        if message.kind is Kind.FAILURE:
            ask.future.set_exception(failures.rebuilt(value))
        else:
            ask.future.set_result(value)

    def _decoded(self, ask: Ask, body: Body) -> Any:
        records = answer_records(ask.handler)
        return codec.decode(body, device=ask.device, records=records, ref=self.ref)

    def gone(self, actor: str, why: str) -> None:
        """Fail all asks to an actor that is dead."""
        for ask in self._asks.to(actor):
            self._asks.close(ask.number)
            if not ask.future.done():
                title = ask.handler.title
                ask.future.set_exception(
                    ActorGone(f"{actor} is gone: {why}; what became of {title} is unknown")
                )


def _admit(ask: Ask) -> None:
    """Let who sent a one-way go on: the message is on its way."""
    if ask.timer is not None:
        ask.timer.cancel()
    if not ask.future.done():
        ask.future.set_result(None)
