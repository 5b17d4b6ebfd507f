"""The sending half of a link: numbers, holds back, keeps for a resend, and keeps the books."""

from __future__ import annotations

from collections import deque

from tether.actors.journal import WORDS, Row, Word
from tether.actors.ledger import Ledger
from tether.actors.message import Message
from tether.actors.packet import NONE_DROPPED, Ack, Window

PACKET_BYTES = 1 << 20
"""Bytes of structure in a packet, about: a frame must stay far below the wire's limit."""

# As plain numbers: indexing with an enumeration's member costs more than the store itself.
SENT = int(Word.SENT)
BYTES = int(Word.BYTES)
WITHDRAWN = int(Word.WITHDRAWN)
ABANDONED = int(Word.ABANDONED)


NOTHING: deque[Message] = deque(maxlen=0)
"""The queue of all who have nothing in it, for an empty one of its own takes half a kilobyte."""
ALL_ACKNOWLEDGED: list[Message] = []
"""What is kept for a resend where nothing is: nobody writes into it."""


class Outbound:
    """Messages of one actor to one other, until they are acknowledged.

    `books` are those of the pair, which its next incarnations go on with; `row` is this one's.
    """

    __slots__ = (
        "_answers",
        "_calls",
        "_dropped",
        "_handled",
        "_held_bytes",
        "_probe",
        "_progress",
        "_resend",
        "_sent",
        "_settled",
        "_settled_bytes",
        "_unacked",
        "_waiting",
        "_waiting_bytes",
        "_withdrawn",
        "books",
        "next_number",
        "resend_after",
        "row",
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
        self._answers = NOTHING
        self._unacked = ALL_ACKNOWLEDGED
        self._waiting_bytes = 0
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

    def add(self, message: Message) -> None:
        """Take a message; a call waits here until the window has room for it."""
        size, row, books = message.body.size, self.row, self.books
        row[BYTES] += size
        books.bytes += size
        if not message.is_call:
            if self._answers is NOTHING:
                self._answers = deque()
            self._answers.append(message)
            return
        self._sent += 1
        row[SENT] = self._sent
        books.sent += 1
        if self._waiting is NOTHING:
            self._waiting = deque()
        self._waiting.append(message)
        self._waiting_bytes += size

    def has_room(self, size: int) -> bool:
        """Tell whether a call of this size would leave with all that wait before it."""
        return self._fits(size, len(self._waiting), self._waiting_bytes)

    def _fits(self, size: int, before: int = 0, bytes_before: int = 0) -> bool:
        calls = self._calls - self._settled + before
        held = self._held_bytes + bytes_before
        return calls == 0 or (calls < self.window.messages and held + size <= self.window.bytes)

    def take(self, now: float) -> tuple[int, tuple[Message, ...]]:
        """Return the number of the first message that is to go now, and all that go with it."""
        if self._resend or self._probe:
            return self._again(now)
        first = self.next_number
        taken = self._leaving() if self._answers or self._waiting else None
        if not taken:
            return first, ()
        self.next_number += len(taken)
        if self._unacked:
            self._unacked += taken
        else:
            self._progress = now
            self._unacked = taken
        return first, tuple(taken)

    def _leaving(self) -> list[Message]:
        """Take out what may leave: answers were paid for by their ask, calls wait for room."""
        taken: list[Message] = []
        size = 0
        while self._answers and size < PACKET_BYTES:
            taken.append(self._answers.popleft())
            size += len(taken[-1].body.data)
        waiting = self._waiting
        while waiting and size < PACKET_BYTES and self._fits(waiting[0].body.size):
            message = waiting.popleft()
            taken.append(message)
            size += len(message.body.data)
            self._admit(message)
        return taken

    def _admit(self, message: Message) -> None:
        """Count a call that leaves, and tell who waits for that."""
        size = message.body.size
        self._waiting_bytes -= size
        self._calls += 1
        self._held_bytes += size
        if message.admitted is not None:
            message.admitted()

    def _again(self, now: float) -> tuple[int, tuple[Message, ...]]:
        """Return what is to be sent again, a packet at a time; 0 asks what became of it all."""
        self._progress = now
        self._probe = False
        first = self.next_number - self._resend if self._resend else 0
        taken: list[Message] = []
        size = 0
        while self._resend and size < PACKET_BYTES:
            taken.append(self._unacked[-self._resend])
            size += len(taken[-1].body.data)
            self._resend -= 1
        return first, tuple(taken)

    def acknowledge(self, ack: Ack, now: float) -> None:
        """Book what the other side has done; raises ValueError if it claims more than was sent."""
        settled = ack.settled
        if ack.received >= self.next_number or settled > self._calls:
            raise ValueError(
                f"messages up to {ack.received} and {settled} calls are acknowledged, but "
                f"{self.next_number - 1} and {self._calls} were sent"
            )
        come = ack.received + 1 - (self.next_number - len(self._unacked))
        if come > 0:
            self._progress = now
            self._forget(come)
        if settled > self._settled:
            self._book(ack, settled)
        if not (self._unacked or self._waiting or self._answers):
            self._waiting = self._answers = NOTHING

    def _forget(self, come: int) -> None:
        """Let go of the first messages that were kept for a resend: they have come."""
        if come < len(self._unacked):
            del self._unacked[:come]
        else:
            self._unacked = ALL_ACKNOWLEDGED
        self._resend = min(self._resend, len(self._unacked))

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
        for message in self._waiting:
            if message.number == number:
                self._waiting.remove(message)
                self._waiting_bytes -= message.body.size
                self._withdrawn += 1
                self.row[WITHDRAWN] = self._withdrawn
                self.books.drop("cancelled")
                return True
        return False

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
        """The calls that have not left, because the window is full."""
        return tuple(self._waiting)

    @property
    def held(self) -> int:
        """How many calls have not left."""
        return len(self._waiting)

    @property
    def answers(self) -> tuple[Message, ...]:
        """The answers that have not left yet."""
        return tuple(self._answers)

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
        waiting = len(self._waiting)
        self.row[ABANDONED] = waiting
        self.books.drop("absent", waiting)
        self.books.unknown -= waiting
        self.retire(final, 0)

    def _clear(self) -> None:
        self._waiting = self._answers = NOTHING
        self._unacked = ALL_ACKNOWLEDGED
        self._waiting_bytes = self._held_bytes = 0
        self._resend = 0
        self._calls = self._settled

    @property
    def can_go(self) -> bool:
        """Whether anything may leave now."""
        if self._resend or self._probe or self._answers:
            return True
        return bool(self._waiting) and self._fits(self._waiting[0].body.size)

    @property
    def quiet(self) -> bool:
        """Whether all that was sent is settled and nothing waits to leave."""
        return not (self._waiting or self._answers or self._calls > self._settled)
