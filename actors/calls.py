"""Calls that go out of a process, and the answers that come home."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

from tether.actors import codec, debug, failures, forms
from tether.actors.asks import Ask, Asks
from tether.actors.caller import Caller
from tether.actors.context import Link, acting, deadline
from tether.actors.directory import Directory
from tether.actors.errors import ActorGone
from tether.actors.handlers import Handler
from tether.actors.link import Link as ActorLink
from tether.actors.message import Body, Kind, Message
from tether.actors.packet import Pair
from tether.actors.plain import plain_value
from tether.actors.press import Presses, book
from tether.actors.records import answer_records
from tether.actors.ref import make_ref
from tether.actors.switch import Switch
from tether.actors.witness import Witness

TELL, ASK, ANSWER, FAILURE = Kind
"""Looking a member up costs more than the comparison."""
NO_CHAIN: tuple[Link, ...] = ()
TICK = 0.001
"""Seconds by which a loop's timers may be early: some count whole milliseconds."""


class Calls:
    """The office of one process: where its handles hand in their calls."""

    def __init__(
        self, switch: Switch, directory: Directory, witness: Witness | None = None
    ) -> None:
        self.switch = switch
        self.directory = directory
        self.witness = witness
        self._pool = switch.pool
        self._asks = Asks(self._pool)
        self.watch: Callable[[], None] = nobody_watches
        """Called when a handler begins to wait: it might be for itself."""
        self.presses: Presses | None = None
        """What compresses messages; none where the wiring has no codecs."""
        self.group: Callable[[str, str], Any] | None = None
        """Makes a live group of a table and of who is left out."""
        self.numbers = count(1)
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

    def caller(self, name: str, handler: Handler) -> Callable[..., Awaitable[Any]]:
        """Return what sends one message to one actor when it is called and awaited."""
        caller = Caller(self, name, handler)
        return caller.tell if handler.oneway else caller.ask

    def gave_up(self, ask: Ask, error: asyncio.CancelledError) -> None:
        """Take back a call whose caller was cancelled; say in the error what came too late."""
        self._abandon(ask)
        end = ask.message.deadline
        if end is not None and end <= self._loop.time() + TICK:
            error.args = error.args or (self._late(ask),)  # for `within`, which ended it

    def begin(self, name: str, handler: Handler, body: Body) -> asyncio.Future[Any]:
        """Send one encoded message; its future ends with the answer, and may be cancelled."""
        ask = self.send(name, handler, body)

        def ended(future: asyncio.Future[Any]) -> None:
            if future.cancelled():
                self._abandon(ask)

        ask.future.add_done_callback(ended)
        return ask.future

    def edge(self, name: str) -> str:
        """Return the table of a target to which the caller's tensors are compressed, or nothing."""
        return "" if self.presses is None else self.presses.edge(self._caller(), name)

    def _caller(self) -> str:
        here = acting.get()
        return self.switch.origin.process if here is None else here.cell.name

    def encode(
        self, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any], to: str = ""
    ) -> Body:
        """Return arguments as they travel: an ask lends transport memory, a one-way copies.

        `to` is the actor, or the table, to whose edge's codec tensors are left; empty for none.
        """
        pool = self._pool
        lendable = codec.nothing_lendable if handler.oneway else pool.owns
        press = None
        if self.presses is not None and to:
            press = self.presses.press(self._caller(), to, handler.name)
        if press is None and len(args) == 1 and not kwargs:
            body = forms.body_of(args[0], call=True)
            if body is not None:
                return body
        try:
            return codec.encode([list(args), kwargs], lendable, pool.take, press, pool.take_on)
        except TypeError as error:
            raise TypeError(f"{handler.title}: {error}") from None

    def send(self, name: str, handler: Handler, body: Body) -> Ask:
        """Send one message; its future ends with the answer, or once a one-way is handed over."""
        here = acting.get()
        source, chain, device, cut = self.switch.origin.process, NO_CHAIN, "cpu", 0
        if here is not None:
            cell = here.cell
            if cell.stopped:
                raise _ended(cell.name)
            source, chain, device, cut = cell.name, here.chain, cell.device, cell.cut
        end = deadline.get()
        kind = TELL if handler.oneway else ASK
        message = Message(kind, next(self.numbers), handler.name, body, chain, cut, deadline=end)
        future: asyncio.Future[Any] = self._loop.create_future()
        link = self.switch.links.get((source, name)) or self.switch.link(source, name)
        ask = Ask(message, link, handler, future, self._loop.time(), device)
        why = self.directory.gone.get(name)
        if why is not None:
            future.set_exception(ActorGone(f"{name} is gone: {why}", name))
            return ask
        if end is not None:
            ask.timer = self._loop.call_at(end, self._expire, ask)
        if handler.oneway and link.out.has_room(body.size):
            _admit(ask)
        else:
            self._asks.open(ask)
            if chain:
                self.watch()
            if handler.oneway:
                message.admitted = partial(self._admitted, ask)
        if self.witness is not None or body.saving is not None:
            self.left(link, message)
        self.switch.send(link, message)
        return ask

    def left(self, link: ActorLink, message: Message) -> None:
        """Note that a call was handed in, and what was saved by compressing it."""
        if self.witness is not None:
            self.witness.sent(link, message)
        if message.body.saving is not None:
            book(link.out.row, message.body.saving)

    def _admitted(self, ask: Ask) -> None:
        self._asks.close(ask.number)
        _admit(ask)

    def _expire(self, ask: Ask) -> None:
        if ask.future.done():
            return
        ask.future.set_exception(TimeoutError(self._late(ask)))
        self._abandon(ask)

    def _late(self, ask: Ask) -> str:
        text = f"{ask.target}: {ask.handler.title} was not answered within the time given"
        silent = self.directory.unreachable.get(ask.target)
        return f"{text}; {silent}" if silent else text

    def _abandon(self, ask: Ask, why: str = "cancelled") -> None:
        """Nobody waits any more: what has not started need not start."""
        ask.why = why
        if self.switch.cancel(ask.link, ask.number, why):
            self._asks.close(ask.number)
            if self.witness is not None:
                self.witness.withdrawn(ask.link, ask.message)

    def answered(self, link: ActorLink, message: Message) -> None:
        """Bring an answer, or a failure, to who asked."""
        ask = self._asks.close(message.number)
        if ask is None or ask.future.done():
            link.out.books.late += 1
            return
        try:
            if ask.checksums is not None and message.kind is ANSWER:
                debug.check_lend(ask)
            body = message.body
            plain = body.plain and not body.parts
            value = plain_value(body) if plain else self._decoded(ask, body)
        except Exception as error:
            ask.future.set_exception(error)
            return
        if message.kind is FAILURE:
            ask.future.set_exception(failures.rebuilt(value))
        else:
            ask.future.set_result(value)

    def orphaned(self, pair: Pair, number: int) -> None:
        """End what an incarnation that has died had lent for a call that is answered now."""
        ask = self._asks.get(number)
        if ask is not None and ask.link.pair == pair:
            self._asks.close(number)

    def _decoded(self, ask: Ask, body: Body) -> Any:
        if body.plain:
            return codec.decode(body)
        records = answer_records(ask.handler)
        return codec.decode(
            body,
            device=ask.device,
            records=records,
            ref=self.ref,
            group=self.group,
            take=self._pool.take,
        )

    def over(self, link: ActorLink) -> list[Ask]:
        """Return what went out over a link and is under way, in order."""
        return self._asks.over(link)

    def take_back_again(self, link: ActorLink) -> None:
        """Say again of all that nobody waits for any more that it was taken back."""
        for ask in self._asks.over(link):
            if ask.why:
                self._abandon(ask, ask.why)

    def waits(self) -> Iterator[Ask]:
        """Return all that is waited for."""
        return iter(self._asks)

    def within(self, actor: str, turn: int) -> list[Ask]:
        """Return what an actor waits for in this turn."""
        return self._asks.within(actor, turn)

    def close(self, ask: Ask) -> None:
        """End the lends of a call that nobody reads any more."""
        self._asks.close(ask.number)

    def forget(self, actor: str) -> None:
        """Close what dead incarnations had asked of one that has died now, too."""
        for ask in self._asks:
            if ask.target == actor and ask.link.parted:
                self._asks.close(ask.number)

    def fail(self, ask: Ask, error: Exception) -> None:
        """End a call that will never be answered."""
        self._asks.close(ask.number)
        if not ask.future.done():
            ask.future.set_exception(error)

    def refuse(self, number: int, error: Exception, why: str) -> None:
        """Fail a call that is under way, and have it dropped for a reason where it waits."""
        ask = self._asks.get(number)
        if ask is not None and not ask.future.done():
            ask.future.set_exception(error)
            self._abandon(ask, why)


def _ended(actor: str) -> ActorGone:
    return ActorGone(f"{actor} has ended, so what it left behind calls nobody", actor)


def _admit(ask: Ask) -> None:
    """Let who sent a one-way go on: the message is on its way."""
    if ask.timer is not None:
        ask.timer.cancel()
    if not ask.future.done():
        ask.future.set_result(None)


def nobody_watches() -> None:
    """Take note of a wait inside a handler."""
