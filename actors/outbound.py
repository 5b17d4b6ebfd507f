"""The sending half of a link: numbers, holds back, keeps for a resend, and keeps the books."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tether.actors.journal import WORDS, Row, Word
from tether.actors.ledger import Ledger
from tether.actors.message import LAST_CALL, OVERHEAD, Message
from tether.actors.packet import NONE_DROPPED, Ack, Window

PACKET_BYTES = 1 << 20
"""Bytes of structure in a packet, about: a frame must stay far below the wire's limit."""

SMALL = 16 << 10
"""Bytes up to which a message without a deadline needs no look of its own when it is packed."""

BATCH = 8
"""Small calls that leave before the turn is over: sixteen asks at a time made 1.7 times as many."""

# As plain numbers: indexing with an enumeration's member costs more than the store itself.
SENT = int(Word.SENT)
BYTES = int(Word.BYTES)
WITHDRAWN = int(Word.WITHDRAWN)
ABANDONED = int(Word.ABANDONED)


NOTHING: deque[Message] = deque(maxlen=0)
"""The queue of all who have nothing in it, for an empty one of its own takes half a kilobyte."""
NO_MESSAGES: list[Message] = []
"""What is ready, or kept for a resend, where nothing is: nobody writes into it."""


class Outbound:
    """Messages of one actor to one other, until they are acknowledged.

    `books` are those of the pair, which its next incarnations go on with; `row` is this one's.
    """

    __slots__ = (
        "_bytes",
        "_calls",
        "_dropped",
        "_handled",
        "_held_bytes",
        "_large",
        "_probe",
        "_progress",
        "_ready",
        "_ready_bytes",
        "_resend",
        "_sent",
        "_settled",
        "_settled_bytes",
        "_unacked",
        "_waiting",
        "_withdrawn",
        "books",
        "next_number",
        "resend_after",
        "row",
        "small",
        "taken",
        "window",
    )

    def __init__(
        self,
        window: Window,
        resend_after: float | None,
        books: Ledger | None = None,
        row: Row | None = None,
    ) -> None:
        self.window = window
        self.resend_after = resend_after
        self.books = Ledger() if books is None else books
        self.row: Row = [0] * WORDS if row is None else row
        self.next_number = 1
        self._waiting = NOTHING
        self._ready = self._unacked = NO_MESSAGES
        self._ready_bytes = 0
        self._large = False
        self.small = True
        """Whether no message of those that were taken last has parts, fences or a deadline, or is
        long."""
        self.taken = 0
        """How many bytes these have, or more."""
        self._bytes = 0
        self._sent = 0
        self._calls = 0
        self._held_bytes = 0
        self._handled = 0
        self._settled = 0
        self._settled_bytes = 0
        self._dropped = NONE_DROPPED
        self._withdrawn = 0
        self._resend = 0
        self._probe = False
        self._progress = 0.0

    def offer(self, message: Message) -> bool:
        """Take a call if the window has room for it now; tell whether it had."""
        body = message.body
        size = body.size if body.parts else OVERHEAD + len(body.data)
        if self._waiting:
            return False
        if calls := self._calls - self._settled:  # as `_fits`, whose call costs as much as it does
            window = self.window
            if calls >= window.messages or self._held_bytes + size > window.bytes:
                return False
        books = self.books
        books.sent += 1
        books.bytes += size
        self._bytes += size
        self._sent += 1
        self._calls += 1
        self._held_bytes += size
        self._get_ready(message, size)
        return True

    def add(self, message: Message) -> None:
        """Take a message; a call waits here until the window has room for it."""
        if message.kind <= LAST_CALL:
            if not self.offer(message):
                self._wait(message)
            elif message.admitted is not None:
                message.admitted()
            return
        body = message.body
        size = body.size if body.parts else OVERHEAD + len(body.data)
        self._bytes += size
        self.books.bytes += size
        self._get_ready(message, size)

    def _wait(self, message: Message) -> None:
        size = message.body.size
        self.books.sent += 1
        self.books.bytes += size
        self._sent += 1
        self._bytes += size
        if self._waiting is NOTHING:
            self._waiting = deque()
        self._waiting.append(message)

    def _get_ready(self, message: Message, size: int) -> None:
        self._ready_bytes += size
        if size > SMALL or message.deadline is not None or message.body.fences:
            self._large = True
        if self._ready:
            self._ready.append(message)
        else:
            self._ready = [message]

    @property
    def has_batch(self) -> bool:
        """Whether so many small messages are to leave that they are worth a packet."""
        return len(self._ready) >= BATCH and self._ready_bytes <= SMALL

    def has_room(self, size: int) -> bool:
        """Tell whether a call of this size would leave with all that wait before it."""
        return not self._waiting and self._fits(size)

    def _fits(self, size: int) -> bool:
        calls, window = self._calls - self._settled, self.window
        return not calls or (calls < window.messages and self._held_bytes + size <= window.bytes)

    def _admit(self) -> None:
        """Let go what the window has room for now."""
        waiting = self._waiting
        while waiting and self._fits(size := waiting[0].body.size):
            message = waiting.popleft()
            self._calls += 1
            self._held_bytes += size
            self._get_ready(message, size)
            if message.admitted is not None:
                message.admitted()

    def enter(self) -> None:
        """Write into the row what was handed in: once a turn, before any of it can be known."""
        self.row[SENT] = self._sent
        self.row[BYTES] = self._bytes

    def take(self, now: float) -> tuple[int, tuple[Message, ...]]:
        """Return the number of the first message that is to go now, and all that go with it."""
        row = self.row
        row[SENT], row[BYTES] = self._sent, self._bytes
        if self._resend or self._probe:
            return self._again(now)
        first, taken = self.next_number, self._ready
        if not taken:
            return first, ()
        self._ready, self.taken = NO_MESSAGES, self._ready_bytes
        self.small = not self._large and self.taken <= PACKET_BYTES
        going = len(taken) if self.small else packetful(taken)
        if going < len(taken):
            taken, self._ready = taken[:going], taken[going:]
        else:
            self._ready_bytes, self._large = 0, False
        self.next_number += going
        if self._unacked:
            self._unacked += taken
        else:
            self._progress = now
            self._unacked = taken
        return first, tuple(taken)

    def _again(self, now: float) -> tuple[int, tuple[Message, ...]]:
        """Return what is to be sent again, a packet at a time; 0 asks what became of it all."""
        self._progress = now
        self._probe = False
        self.small = False
        if not self._resend:
            return 0, ()
        first, left = self.next_number - self._resend, self._unacked[-self._resend :]
        going = packetful(left)
        self._resend -= going
        return first, tuple(left[:going])

    def acknowledge(self, ack: Ack, now: float) -> None:
        """Book what the other side has done; raises ValueError if it claims more than was sent."""
        settled = ack.settled if ack.dropped else ack.handled
        if ack.received >= self.next_number or settled > self._calls:
            raise ValueError(
                f"messages up to {ack.received} and {settled} calls are acknowledged, but "
                f"{self.next_number - 1} and {self._calls} were sent"
            )
        come = ack.received + 1 - (self.next_number - len(self._unacked))
        if come > 0:
            self._progress = now
            if come < len(self._unacked):
                del self._unacked[:come]
            else:
                self._unacked = NO_MESSAGES
            if self._resend:
                self._resend = min(self._resend, len(self._unacked))
        if settled > self._settled:
            self._book(ack, settled)
            if self._waiting:
                self._admit()
                self._waiting = self._waiting or NOTHING

    def _book(self, ack: Ack, settled: int) -> None:
        """Enter what has come to be settled since the last time."""
        self.books.handled += ack.handled - self._handled
        for why, count in ack.dropped.items():
            self.books.drop(why, count - self._dropped.get(why, 0))
        self._held_bytes -= ack.bytes - self._settled_bytes
        self._settled = settled
        self._handled, self._settled_bytes, self._dropped = ack[1:]

    def withdraw(self, number: int) -> bool:
        """Take back a call that has not left yet, booked as dropped; tell whether that was so."""
        for message in self.waiting:
            if message.number == number:
                self._take_back(message)
                self._withdrawn += 1
                self.row[WITHDRAWN] = self._withdrawn
                self.books.drop("cancelled")
                return True
        return False

    def _take_back(self, message: Message) -> None:
        """Take out a call that has not left; what it had been admitted for is free again."""
        self.enter()
        if message in self._waiting:
            self._waiting.remove(message)
            return
        self._ready.remove(message)
        self._calls -= 1
        self._held_bytes -= message.body.size
        self._admit()

    def lost(self) -> None:
        """Send again, with the next packets, all that was not acknowledged; or ask about it."""
        self._resend = len(self._unacked)
        self._probe = self.open and not self._resend

    def overdue(self, now: float) -> bool:
        """Tell whether nothing was acknowledged for so long that it is to be sent again."""
        late = self.resend_after is not None and now - self._progress >= self.resend_after
        return late and self.open

    @property
    def open(self) -> bool:
        """Whether the other side has still to acknowledge something."""
        return bool(self._unacked) or self._calls > self._settled

    @property
    def waiting(self) -> tuple[Message, ...]:
        """The calls that have not left, in their order."""
        return (*(message for message in self._ready if message.is_call), *self._waiting)

    @property
    def held(self) -> int:
        """How many calls have not left."""
        return len(self.waiting)

    @property
    def answers(self) -> tuple[Message, ...]:
        """The answers that have not left yet."""
        return tuple(message for message in self._ready if not message.is_call)

    def retire(self, final: Ack | None, moved: int) -> None:
        """Close the books with a dead receiver, whose last acknowledgement is known or not.

        So many of its calls are `moved`: handed in anew for its next incarnation.
        """
        if final is not None and self._settled < final.settled <= self._calls:
            self._book(final, final.settled)
        self._sent -= moved
        self.row[SENT] = self._sent
        self.books.sent -= moved
        self.books.unknown += self._sent - self._withdrawn - self._settled
        self._clear()

    def abandon(self, final: Ack | None) -> None:
        """Close the books with a receiver that will not come back: what waits here is dropped."""
        waiting = len(self.waiting)
        self.row[ABANDONED] = waiting
        self.books.drop("absent", waiting)
        self.books.unknown -= waiting
        self.retire(final, 0)

    def _clear(self) -> None:
        self._waiting = NOTHING
        self._ready = self._unacked = NO_MESSAGES
        self._held_bytes = self._ready_bytes = 0
        self._resend = 0
        self._calls = self._settled

    @property
    def can_go(self) -> bool:
        """Whether anything may leave now."""
        return bool(self._ready or self._resend or self._probe)

    @property
    def quiet(self) -> bool:
        """Whether all that was sent is settled and nothing waits to leave."""
        return not (self._waiting or self._ready or self._calls > self._settled)


def packetful(messages: Sequence[Message]) -> int:
    """Return how many of these go with one packet: at least one."""
    size = 0
    for count, message in enumerate(messages):
        if size >= PACKET_BYTES:
            return count
        size += len(message.body.data)
    return len(messages)
