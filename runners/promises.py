"""What the runtime promises of messages, held against all that happens in a simulation.

What is counted here is counted apart from the runtime's own journals, so that both can be compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tether.actors.asks import Ask
from tether.actors.cell import Cell
from tether.actors.link import Link
from tether.actors.message import Message
from tether.actors.packet import Pair
from tether.runners.accounts import Account

if TYPE_CHECKING:
    from tether.runners.declared import Call

Broken = Callable[[str], None]
"""Is told a sentence for each promise that does not hold."""
Number = tuple[str, int, int]
"""What names a call in a whole run: who sent it, in which incarnation, and which it was."""


@dataclass(slots=True, eq=False)
class Flight:
    """A call whose handling has not begun: to whom, since when, and how far its receiver was."""

    target: str
    incarnation: int
    message: Message
    since: float
    begun_then: int
    call: Call | None = None
    """What invariants are shown of it, once one has looked."""


class Promises:
    """The witness of all processes of a simulation."""

    def __init__(self, now: Callable[[], float], broken: Broken) -> None:
        self.now = now
        self.broken = broken
        self.flights: dict[Number, Flight] = {}
        """Calls that were sent, and neither begun nor dropped."""
        self.sent_by: Counter[str] = Counter()
        self.begun_by: Counter[str] = Counter()
        self.handled_of: Counter[str] = Counter()
        """How many calls of each sender were handled."""
        self.handled_by: Counter[tuple[str, int]] = Counter()
        """How many calls each incarnation has handled."""
        self.dropped_of: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.aged: Callable[[str, str, float, int], None] = nobody_counts
        """Is told of each call that begins: sender, receiver, its age in seconds, and how many
        messages its receiver has begun since it was sent."""
        self.returned: Callable[[Cell, Message, Any], None] = nobody_listens
        """Is told what each handler returns."""
        self._turns: dict[tuple[str, int], tuple[int, int]] = {}
        self._waiting: dict[Link, tuple[int, int]] = {}

    def sent(self, link: Link, message: Message) -> None:
        """See a call handed in."""
        pair = link.pair
        key = _number(pair, message)
        if key in self.flights:
            self.broken(f"{_title(pair, message)} was handed in twice")
        self.sent_by[pair.source] += 1
        self._fly(key, pair, message)

    def resent(self, link: Link, message: Message) -> None:
        """See a call handed on to its receiver's next incarnation."""
        self._fly(_number(link.pair, message), link.pair, message)

    def _fly(self, key: Number, pair: Pair, message: Message) -> None:
        target = pair.target
        self.flights[key] = Flight(
            target, pair.target_incarnation, message, self.now(), self.begun_by[target]
        )

    def withdrawn(self, link: Link, message: Message) -> None:
        """See a call taken back that had not left."""
        self.flights.pop(_number(link.pair, message), None)
        self.dropped_of[link.local]["cancelled"] += 1

    def came(self, link: Link, message: Message) -> None:
        """See a call delivered: its sender's window bounds how many wait."""
        count, size = self._waiting.get(link, (0, 0))
        count, size = count + 1, size + message.body.size
        self._waiting[link] = count, size
        window = link.window
        if count > window.messages or (size > window.bytes and count > 1):
            self.broken(
                f"{link.local} holds {count} messages and {size} bytes of {link.remote}, but its "
                f"window is of {window.messages} messages and {window.bytes} bytes"
            )

    def begun(self, cell: Cell, message: Message) -> None:
        """See the handling of a call begin: once, in order, and by whom it was sent to."""
        link = message.link
        pair = link.turned
        flight = self.flights.pop(_number(pair, message), None)
        if flight is None:
            text = "begins, but it was never sent, or was begun or dropped before"
            self.broken(f"{_title(pair, message)} {text}")
        elif (flight.target, flight.incarnation) != (cell.name, cell.incarnation):
            self.broken(
                f"{_title(pair, message)} was sent to incarnation {flight.incarnation} of "
                f"{flight.target}, but incarnation {cell.incarnation} of {cell.name} begins it"
            )
        else:
            since = self.begun_by[cell.name] - flight.begun_then
            self.aged(pair.source, cell.name, self.now() - flight.since, since)
        if message.number <= link.inward.started:
            self.broken(
                f"{_title(pair, message)} begins after number {link.inward.started} of the same "
                "sender, so out of order"
            )
        self.begun_by[cell.name] += 1
        self._occupy(cell, pair, message)

    def _occupy(self, cell: Cell, pair: Pair, message: Message) -> None:
        life = cell.name, cell.incarnation
        turn, handling = self._turns.get(life, (cell.turn, 0))
        if handling and turn != cell.turn:
            self.broken(f"{_title(pair, message)} begins while another message is handled there")
        self._turns[life] = cell.turn, handling + 1

    def answered(self, cell: Cell, message: Message, value: Any) -> None:
        """See a handler return."""
        self.returned(cell, message, value)

    def settled(self, link: Link, message: Message, dropped: str | None) -> None:
        """See a call handled, or dropped for a reason."""
        self._leave(link, message.body.size)
        if dropped is not None:
            self.flights.pop(_number(link.turned, message), None)
            self.dropped_of[link.remote][dropped] += 1
            return
        life = link.local, link.pair.source_incarnation
        self.handled_of[link.remote] += 1
        self.handled_by[life] += 1
        turn, handling = self._turns.get(life, (0, 1))
        self._turns[life] = turn, max(0, handling - 1)

    def _leave(self, link: Link, size: int) -> None:
        count, held = self._waiting.pop(link, (0, 0))
        if count > 1:
            self._waiting[link] = count - 1, held - size

    def in_time(self, asks: Iterable[Ask], since: float) -> None:
        """See what a process waits for that has run `since` then: nothing whose time is over."""
        now = self.now()
        for ask in asks:
            end = ask.message.deadline
            if end is not None and max(end, since) < now and not ask.future.done():
                pair = ask.link.pair
                text = f"had to end by {end:.6g} s, but is waited for at {now:.6g} s"
                self.broken(f"{_title(pair, ask.message)} {text}")

    def silent(self, links: Iterable[Link], idle: Callable[[str], bool]) -> None:
        """See who still waits after a long calm in which nothing was heard: nobody.

        An actor that still handles something, or has messages waiting, is not `idle`.
        """
        flying = {(*key[:2], flight.target): flight for key, flight in self.flights.items()}
        for link in links:
            pair = link.pair
            if not idle(pair.target):
                continue
            flight = flying.get((pair.source, pair.source_incarnation, pair.target))
            if flight is None:
                text = "has handled all, but never acknowledged it"
                self.broken(f"{pair.target} {text}, though {pair.source} waits for that")
            elif flight.incarnation == pair.target_incarnation:
                self.broken(f"{_title(pair, flight.message)} was sent, but never came")

    def ended(self, waits: Iterable[Ask]) -> None:
        """See what is still waited for when all is over: nothing."""
        for ask in waits:
            if not ask.future.done():
                text = f"was still waited for at the end, by {ask.link.local}"
                self.broken(f"{_title(ask.link.pair, ask.message)} {text}")

    def accounted(self, accounts: Iterable[Account], *, drained: bool) -> None:
        """Compare the books of the runtime with what was seen; `drained`: nothing may be in flight.

        Messages that one of two dead left in the other's mailbox are unknown to both.
        """
        books: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for account in accounts:
            mine = books[account["from"]]
            mine.update(sent=account["sent"], handled=account["handled"])
            mine.update(unknown=account["unknown"], in_flight=account["in_flight"])
            mine.update({f"dropped as {why}": n for why, n in account["dropped"].items()})
        for source in dict.fromkeys([*books, *filter(is_actor, self.sent_by)]):
            self._compare(source, books[source], drained=drained)

    def _compare(self, source: str, book: Mapping[str, int], *, drained: bool) -> None:
        seen = {"sent": self.sent_by[source], "handled": self.handled_of[source]}
        dropped = self.dropped_of[source]
        seen |= {f"dropped as {why}": n for why, n in dropped.items() if why != "absent"}
        for what, count in seen.items():
            if book.get(what, 0) != count:
                booked = book.get(what, 0)
                self.broken(f"{source}: {count} messages were {what}, but {booked} are booked")
        if drained and book.get("in_flight"):
            text = "messages are in flight after an end in good order"
            self.broken(f"{source}: {book['in_flight']} {text}")


def is_actor(name: str) -> bool:
    """Whether a sender is an actor: the world outside keeps no books."""
    return "/" in name


def _number(pair: Pair, message: Message) -> Number:
    return pair[0], pair[2], message.number


def _title(pair: Pair, message: Message) -> str:
    return f"message {message.number} of {pair.source} to {pair.target}, {message.method},"


def nobody_listens(_cell: Cell, _message: Message, _value: Any) -> None:
    """Let what a handler returns be its caller's own."""


def nobody_counts(_source: str, _target: str, _age: float, _since: int) -> None:
    """Let the age of a message be its own affair."""
