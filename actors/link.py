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
from tether.actors.packet import Ack, Packet, Pair, Window, made_packet

NOBODY = Pair("", "", 0, 0)
NOTHING_DONE = Ack()


class Link:
    """Both halves of one side, and what this side has acknowledged."""

    __slots__ = (
        "_half",
        "_half_bytes",
        "_must_say",
        "_said",
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
        self._said = NOTHING_DONE
        self._must_say = False
        self._half = self.due_settled = (window.messages + 1) // 2
        self._half_bytes = self.due_bytes = (window.bytes + 1) // 2
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
        out, inward = self.out, self.inward
        first, messages = out.take(now)
        ack = inward.ack
        if first and not messages and not self._must_say and ack == self._said:
            return None
        self._said = ack
        self._must_say = False
        self.due_settled = inward.settled + self._half
        self.due_bytes = inward.settled_bytes + self._half_bytes
        return made_packet((first, messages, ack, out.taken, out.small))

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
