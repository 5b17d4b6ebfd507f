"""One actor's side of its link with another: a state machine that does no input or output.

It numbers what it sends, delivers what comes once and in order, acknowledges, resends after a
loss, and lets no more calls out than the other side's window holds. A transport carries its
packets, and may lose, double or reorder them.
"""

from __future__ import annotations

from tether.actors.assembly import Take
from tether.actors.inbound import Inbound
from tether.actors.journal import Row
from tether.actors.ledger import Ledger
from tether.actors.message import Message
from tether.actors.outbound import Outbound
from tether.actors.packet import Packet, Pair, Window

NOBODY = Pair("", "", 0, 0)


class Link:
    """Both halves of one side, and what this side has acknowledged."""

    __slots__ = (
        "_must_say",
        "_said_bytes",
        "_said_received",
        "_said_settled",
        "due_bytes",
        "due_settled",
        "inward",
        "local",
        "out",
        "pair",
        "parted",
        "remote",
        "window",
    )

    def __init__(
        self,
        take: Take,
        window: Window | None = None,
        resend_after: float | None = None,
        *,
        pair: Pair = NOBODY,
        books: Ledger | None = None,
        row: Row | None = None,
    ) -> None:
        window = window or Window()
        self.pair = pair
        self.local = pair.source
        self.remote = pair.target
        self.window = window
        self.out = Outbound(window, resend_after, books, row)
        self.inward = Inbound(window, take, row)
        self._said_received = 0
        self._said_settled = 0
        self._said_bytes = 0
        self._must_say = False
        self._expect()
        self.parted = False
        """Whether one of its ends has died, so that it carries nothing any more."""

    @property
    def turned(self) -> Pair:
        """The pair as its other end sees it."""
        return self.pair.turned

    def joins(self, pair: Pair) -> bool:
        """Whether the other end speaks to this one, in the incarnations of both."""
        _, _, here, there = self.pair
        return pair[2:] == (there, here)

    def pull(self, now: float) -> Packet | None:
        """Return the next packet to carry, or None when there is nothing to say."""
        first, messages = self.out.take(now)
        if first and not messages and not self.ack_is_new:
            return None
        ack = self.inward.ack
        self._said_received = ack.received
        self._said_settled = self.inward.settled
        self._said_bytes = ack.bytes
        self._must_say = False
        self._expect()
        return Packet(first, messages, ack, self.out.taken, self.out.small)

    def _expect(self) -> None:
        """Find when the next acknowledgement will be due: half of the window is settled then."""
        window = self.window
        self.due_settled = self._said_settled + (window.messages + 1) // 2
        self.due_bytes = self._said_bytes + (window.bytes + 1) // 2

    def push(self, packet: Packet, now: float) -> list[Message]:
        """Take a packet in; return the messages that are now due, in order and never twice.

        Raises ValueError when it acknowledges what was never sent.
        """
        first, messages, ack, _, _ = packet
        inward = self.inward
        self.out.acknowledge(ack, now)
        before = inward.duplicates
        due = inward.accept(first, messages)
        if inward.duplicates > before or not first:
            self._must_say = True
        return due

    def lost(self) -> None:
        """Say again, on a renewed connection, all that may not have come over."""
        self.out.lost()
        self._must_say = True

    def resend_if_overdue(self, now: float) -> bool:
        """Say again what was not acknowledged for too long; tell whether that was so."""
        overdue = self.out.overdue(now)
        if overdue:
            self.lost()
        return overdue

    @property
    def ack_is_due(self) -> bool:
        """Whether the sender may be waiting for it: half of its window is settled."""
        inward = self.inward
        return inward.settled >= self.due_settled or inward.settled_bytes >= self.due_bytes

    @property
    def ack_is_new(self) -> bool:
        """Whether there is anything to acknowledge."""
        inward = self.inward
        return (
            self._must_say
            or inward.settled != self._said_settled
            or inward.received != self._said_received
        )
