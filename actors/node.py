"""One process of a run: its actors, and where what comes for them goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tether.actors import codec, failures
from tether.actors.calls import Calls
from tether.actors.cell import Cell
from tether.actors.clock import Clock, SystemClock
from tether.actors.context import Acting, acting
from tether.actors.directory import Directory
from tether.actors.errors import ActorGone
from tether.actors.frames import Origin
from tether.actors.handlers import Handler, handlers
from tether.actors.mailbox import Delivery
from tether.actors.memory import Pool
from tether.actors.message import Body, Kind, Message
from tether.actors.packet import Window
from tether.actors.records import argument_records
from tether.actors.switch import Switch
from tether.actors.transport import Transport

Recorded = Callable[[str, int | None, dict[str, float]], None]


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
        recorded: Recorded = nowhere,
    ) -> None:
        self.origin = origin
        self.directory = directory
        self.clock = clock or SystemClock()
        self.transport = transport
        self.recorded = recorded
        self.pool = Pool()
        self.cells: dict[str, Cell] = {}
        self.switch = Switch(origin, directory, self, self.pool, transport, window)
        self.calls = Calls(self.switch, directory)

    async def start(self) -> None:
        """Begin to take in what the transport brings."""
        if self.transport is not None:
            await self.transport.start(self.switch)

    def spawn(self, name: str, make: Callable[[], Any], device: str = "cpu") -> Cell:
        """Make an actor under its name, and begin to handle its messages."""
        cell = Cell(name, self, device)
        token = acting.set(Acting(cell))
        try:
            cell.actor = make()
        finally:
            acting.reset(token)
        cell.handlers = handlers(cell.actor.__class__)
        self.cells[name] = cell
        cell.start()
        return cell

    def ref(self, name: str) -> Any:
        """Return a handle on an actor; raises LookupError when the run has none of this name."""
        return self.calls.ref(name)

    def deliver(self, source: str, target: str, message: Message) -> None:
        """Take what a link delivers: a call to its actor, an answer to who asked."""
        if not message.is_call:
            self.calls.answered(source, target, message)
        elif target in self.cells:
            self.cells[target].deliver(source, message)
        else:
            self._refuse(source, target, message)

    def _refuse(self, source: str, target: str, message: Message) -> None:
        """Book a call to an actor that does not run here as dropped, and tell its asker."""
        if message.kind is Kind.ASK:
            error = ActorGone(f"{target} does not run in {self.origin.process}")
            where = f"in {self.origin.process}, {message.method}, called by {source}"
            body = codec.encode(failures.plain(error, where))
            self._reply(target, Delivery(source, message), Kind.FAILURE, body)
        self.switch.settle(target, source, message, "absent")

    def withdraw(self, source: str, target: str, number: int) -> None:
        """Take the word that nobody waits for a call any more."""
        cell = self.cells.get(target)
        if cell is not None:
            cell.withdraw(source, number)

    def arguments(
        self, handler: Handler, body: Body, device: str
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return a call's arguments, decoded."""
        records = argument_records(handler)
        args, kwargs = codec.decode(body, device=device, records=records, ref=self.ref)
        return args, kwargs

    def answer(self, cell: Cell, delivery: Delivery, value: Any, here: Acting) -> None:
        """Send an ask its answer, snapshotted unless it lies in a buffer of its handler."""
        if delivery.message.kind is Kind.ASK:
            try:
                body = codec.encode(value, here.owns, self.pool.take)
            except TypeError as error:
                title = f"{type(cell.actor).__name__}.{delivery.message.method}"
                raise TypeError(f"the answer of {title}: {error}") from None
            self._reply(cell.name, delivery, Kind.ANSWER, body)
        self.switch.settle(cell.name, delivery.source, delivery.message, None)

    def fail(self, cell: Cell, delivery: Delivery, error: BaseException) -> None:
        """Send an ask its failure, with a note that says where it happened."""
        if delivery.message.kind is Kind.ASK:
            self._reply_failure(cell, delivery, error)
        self.switch.settle(cell.name, delivery.source, delivery.message, None)

    def drop(self, cell: Cell, delivery: Delivery, why: str, error: Exception | None) -> None:
        """Book a call as dropped, and tell its asker why."""
        if delivery.message.kind is Kind.ASK and error is not None:
            self._reply_failure(cell, delivery, error)
        self.switch.settle(cell.name, delivery.source, delivery.message, why)

    def _reply_failure(self, cell: Cell, delivery: Delivery, error: BaseException) -> None:
        host = self.directory.place(cell.name).host
        title = f"{type(cell.actor).__name__}.{delivery.message.method}"
        on = f" on host {host}" if host else ""
        where = f"in {cell.name}{on}, {title}, called by {delivery.source}"
        self._reply(cell.name, delivery, Kind.FAILURE, codec.encode(failures.plain(error, where)))

    def _reply(self, name: str, delivery: Delivery, kind: Kind, body: Body) -> None:
        number = delivery.message.number
        self.switch.send(name, delivery.source, Message(kind, number, "", body))

    def gone(self, actor: str, why: str) -> None:
        """Learn that an actor is dead: its askers fail, and who wants to know is told."""
        self.directory.gone[actor] = why
        self.switch.gone(actor)
        self.calls.gone(actor, why)
        for cell in self.cells.values():
            if hasattr(cell.actor, "down") and (cell.name, actor) in self.switch.links:
                cell.post(cell.actor.down, self.ref(actor), why)

    @property
    def quiet(self) -> bool:
        """Whether nothing waits, nothing is handled, and nothing is under way."""
        return (
            self.switch.quiet
            and not len(self.calls)
            and all(cell.idle for cell in self.cells.values())
        )

    def accounts(self) -> list[dict[str, Any]]:
        """Return the books of every pair of actors whose sender lives here, as plain data."""
        return [
            {"from": local, "to": remote, **link.out.books.plain()}
            for (local, remote), link in self.switch.links.items()
        ]

    async def close(self, linger: float = 0.0) -> None:
        """Stop all actors, then let go of the transport."""
        for cell in self.cells.values():
            await cell.stop()
        self.switch.close()
        if self.transport is not None:
            await self.transport.close(linger)
