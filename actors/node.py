"""One process of a run: its actors, and where what comes for them goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tether.actors import codec, failures, forms
from tether.actors.calls import Calls
from tether.actors.cell import Cell
from tether.actors.clock import Clock, SystemClock
from tether.actors.context import Acting, acting
from tether.actors.directory import Directory, Place
from tether.actors.errors import ActorGone, Unreachable
from tether.actors.frames import Origin
from tether.actors.handlers import Handler, handlers
from tether.actors.journal import Journal
from tether.actors.link import Link
from tether.actors.memory import Pool
from tether.actors.message import LAST_CALL, Body, Kind, Message
from tether.actors.packet import Pair, Window
from tether.actors.plain import NATIVE, plain_arguments, plain_body
from tether.actors.press import Presses, Ways, book
from tether.actors.probes import Probes
from tether.actors.records import argument_records
from tether.actors.segments import Segments
from tether.actors.succession import ANEW, Succession, Wills
from tether.actors.switch import Switch
from tether.actors.tensors import unread
from tether.actors.transport import Transport
from tether.actors.witness import Witness
from tether.actors.words import Probe, Word

ANSWER = Kind.ANSWER
"""Looking a member up costs more than what is done with it."""
Recorded = Callable[[str, int | None, dict[str, float]], None]


def nothing_kept(_cell: Cell, _cut: int) -> None:
    """Keep nobody's state."""


def nowhere(_name: str, _step: int | None, _metrics: dict[str, float]) -> None:
    """Take a report to nobody."""


class Node:
    """The runtime of one process. It has to be made where its event loop runs."""

    def __init__(
        self,
        origin: Origin,
        directory: Directory,
        *,
        clock: Clock | None = None,
        transport: Transport | None = None,
        window: Window | None = None,
        journal: Journal | None = None,
        recorded: Recorded = nowhere,
        witness: Witness | None = None,
        ways: Ways | None = None,
    ) -> None:
        self.origin = origin
        self.directory = directory
        self.clock = clock or SystemClock()
        self.transport = transport
        self.recorded = recorded
        self.witness = witness
        self.keep: Callable[[Cell, int], None] = nothing_kept
        self.pool = Pool(Segments() if transport is not None and transport.shares else None)
        self.cells: dict[str, Cell] = {}
        self._buried: set[str] = set()
        self.switch = Switch(origin, directory, self, self.pool, transport, window, journal)
        self.calls = Calls(self.switch, directory, witness)
        if ways:
            self.calls.presses = Presses(ways, self.clock, self.pool.take)
        self.probes = Probes(self.calls, self.cells, self.switch.say)
        self.acknowledge = self.switch.acknowledge
        self.succession = Succession(self.switch, self.calls, directory)

    async def start(self) -> None:
        """Begin to take in what the transport brings."""
        if self.transport is not None:
            await self.transport.start(self.switch)

    def spawn(self, name: str, make: Callable[[], Any], device: str = "cpu") -> Cell:
        """Make an actor under its name, and begin to handle its messages."""
        cell = Cell(name, self, device, self.directory.place(name).incarnation)
        token = acting.set(Acting(cell))
        try:
            cell.actor = make()
        finally:
            acting.reset(token)
        cell.handles(handlers(cell.actor.__class__))
        self.cells[name] = cell
        self._buried.discard(name)
        cell.start()
        return cell

    def ref(self, name: str) -> Any:
        """Return a handle on an actor; raises LookupError when the run has none of this name."""
        return self.calls.ref(name)

    def deliver(self, link: Link, due: Iterable[Message]) -> None:
        """Take what a link delivers: calls to its actor, answers to who asked."""
        calls: list[Message] = []
        for message in due:
            if message.kind <= LAST_CALL:
                calls.append(message)
                continue
            if calls:
                self._called(link, calls)
                calls = []
            self.calls.answered(link, message)
        if calls:
            self._called(link, calls)

    def _called(self, link: Link, calls: list[Message]) -> None:
        """Take calls, one behind the other, to their actor."""
        cell = self.cells.get(link.local)
        if cell is not None:
            if self.witness is not None:
                for call in calls:
                    self.witness.came(link, call)
            cell.deliver(link, calls)
        elif link.local not in self._buried:  # who follows the dead is asked
            for call in calls:
                self._refuse(link, call)

    def _refuse(self, link: Link, message: Message) -> None:
        """Book a call to an actor that does not run here as dropped, and tell its asker."""
        if message.kind is Kind.ASK:
            error = ActorGone(f"{link.local} does not run in {self.origin.process}", link.local)
            where = f"in {self.origin.process}, {message.method}, called by {link.remote}"
            body = codec.encode(failures.plain(error, where))
            self._reply(link, message, Kind.FAILURE, body)
        self._settle(link, message, "absent")

    def orphaned(self, pair: Pair, message: Message) -> None:
        """Take an answer to an incarnation that has died while it was on its way."""
        self.calls.orphaned(pair, message.number)

    def lost(self, link: Link) -> None:
        """Hear that words over a link may be lost."""
        self.calls.take_back_again(link)

    def word(self, word: Word) -> None:
        """Take a word of another runtime."""
        if isinstance(word, Probe):
            self.probes.take(word)
            return
        link = self.switch.links.get((word.target, word.source))
        if link is not None and link.turned == word.pair:
            link.inward.withdraw(word.number)
            if word.target in self.cells:
                self.cells[word.target].withdraw(link, word.number, word.why)

    def arguments(
        self, handler: Handler, body: Body, device: str
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return a call's arguments, decoded."""
        if body.plain and not body.parts:
            return plain_arguments(body)
        records = argument_records(handler)
        args, kwargs = codec.decode(
            body,
            device=device,
            records=records,
            ref=self.ref,
            group=self.calls.group,
            take=self.pool.take,
        )
        return args, kwargs

    def _settle(self, link: Link, message: Message, dropped: str | None) -> None:
        if self.witness is not None:
            self.witness.settled(link, message, dropped)
        link.inward.settle(message, dropped)
        self.acknowledge(link)

    def answer(self, cell: Cell, message: Message, value: Any, here: Acting) -> None:
        """Send an ask its answer, snapshotted unless it lies in a buffer of its handler."""
        presses = self.calls.presses
        body = plain_body(value) if presses is None and type(value) in NATIVE else None
        if body is None:
            body = self._encoded(cell, message, value, here)
        self._reply(message.link, message, ANSWER, body)

    def answer_rows(self, asks: list[Message], values: Any) -> bool:
        """Send each ask its row of one tensor; tell whether that could be done at once."""
        if self.witness is not None or self.calls.presses is not None:
            return False
        bodies = forms.rows(values)
        if bodies is None:
            return False
        for ask, body in zip(asks, bodies, strict=True):
            self._reply(ask.link, ask, ANSWER, body)
        return True

    def _encoded(self, cell: Cell, message: Message, value: Any, here: Acting) -> Body:
        """Return an answer as it travels, compressed where the wiring says so."""
        presses, press = self.calls.presses, None
        if presses is not None:
            press = presses.press(cell.name, message.source, f"{message.method} answers")
        elif (body := forms.body_of(value, call=False)) is not None:
            return body
        try:
            return codec.encode(value, here.owns, self.pool.take, press, self.pool.take_on)
        except TypeError as error:
            title = f"{type(cell.actor).__name__}.{message.method}"
            raise TypeError(f"the answer of {title}: {error}") from None

    def fail(self, cell: Cell, message: Message, error: BaseException) -> None:
        """Send an ask its failure, with a note that says where it happened."""
        if message.kind is Kind.ASK:
            self._reply_failure(cell, message, error)
        self._settle(message.link, message, None)

    def drop(self, cell: Cell, message: Message, why: str, error: Exception | None) -> None:
        """Book a call as dropped, and tell its asker why."""
        if message.kind is Kind.ASK and error is not None:
            self._reply_failure(cell, message, error)
        self._settle(message.link, message, why)

    def _reply_failure(self, cell: Cell, message: Message, error: BaseException) -> None:
        host = self.directory.place(cell.name).host
        title = f"{type(cell.actor).__name__}.{message.method}"
        on = f" on host {host}" if host else ""
        where = f"in {cell.name}{on}, {title}, called by {message.source}"
        body = codec.encode(failures.plain(error, where))
        self._reply(message.link, message, Kind.FAILURE, body)

    def _reply(self, link: Link, ask: Message, kind: Kind, body: Body) -> None:
        if body.saving is not None:
            book(link.out.row, body.saving)
        if ask.body.parts:  # the answer says that nobody reads them any more
            body.fences += unread(ask.body.parts)
        self.switch.answer(link, Message(kind, ask.number, "", body))

    def down(
        self, actor: str, why: str, wills: Wills | None = None, *, final: bool = False
    ) -> None:
        """Learn that an actor has died; with `final` that it will not come back.

        Its askers fail unless what they asked had not started, and who wants to know is told.
        """
        self.succession.down(actor, why, wills, final=final)
        self._tell(actor, ActorGone(f"{actor} is gone: {why}", actor))

    def up(self, actor: str, place: Place) -> None:
        """Learn where an actor's next incarnation is, and that the last one is dead."""
        if self.succession.up(actor, place):
            self._tell(actor, ActorGone(f"{actor} is gone: {ANEW}", actor))

    def unreachable(self, actor: str, why: str) -> None:
        """Learn that nothing is heard of an actor, which may be alive; `down` tells who has one."""
        self.directory.unreachable[actor] = why
        self._tell(actor, Unreachable(f"{actor} is unreachable: {why}"))

    def reachable(self, actor: str) -> None:
        """Learn that an actor is heard of again."""
        self.directory.unreachable.pop(actor, None)

    def _tell(self, actor: str, why: Exception) -> None:
        """Tell those who ever spoke with an actor, and have a method `down` for it."""
        for name, cell in self.cells.items():
            if name == actor or (name, actor) not in self.switch.books:
                continue
            if hasattr(type(cell.actor), "down"):
                cell.post(cell.actor.down, self.ref(actor), why)

    async def bury(self, actor: str) -> None:
        """End an actor of this process; what it had not handled waits for who comes after it."""
        await self.lose(actor).stop()

    def lose(self, actor: str) -> Cell:
        """Let go of an actor of this process; whoever follows it is asked what it is sent now."""
        self._buried.add(actor)
        if self.calls.presses is not None:
            self.calls.presses.forget(actor)
        return self.cells.pop(actor)

    @property
    def quiet(self) -> bool:
        """Whether nothing waits, nothing is handled, and nothing is under way."""
        return (
            self.switch.quiet
            and not len(self.calls)
            and all(cell.idle for cell in self.cells.values())
        )

    def settled(self, actor: str) -> bool:
        """Whether an actor of this process has nothing waiting, and nothing under way to others."""
        links = (link for link in self.switch.links.values() if link.local == actor)
        return self.cells[actor].idle and all(link.out.quiet for link in links)

    def accounts(self) -> list[dict[str, Any]]:
        """Return the books of every pair of actors whose sender lives here, as plain data."""
        return [
            {"from": local, "to": remote, **books.plain()}
            for (local, remote), books in self.switch.books.items()
        ]

    async def close(self, linger: float = 0.0) -> None:
        """Stop all actors, then let go of the transport."""
        for cell in self.cells.values():
            await cell.stop()
        self.probes.close()
        self.switch.close()
        if self.transport is not None:
            await self.transport.close(linger)
