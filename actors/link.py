"""One actor's side of its link with another: a state machine that does no input or output.

It numbers what it sends, delivers what comes once and in order, acknowledges, resends after a
loss, and lets no more calls out than the other side's window holds. A transport carries its
packets, and may lose, double or reorder them.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        "_must_say",
        "_said",
        "inward",
        "local",
        "out",
        "pair",
        "parted",
        "remote",
        "turned",
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
        self.turned = pair.turned
        """The pair as its other end sees it, and names it in what it says."""
        self.local = pair.source
        self.remote = pair.target
        self.window = window
        self.out = Outbound(window, resend_after, books, row)
        self.inward = Inbound(window, take, row)
        self._said = NOTHING_DONE
        self._must_say = False
        self.parted = False
        """Whether one of its ends has died, so that it carries nothing any more."""

    def pull(self, now: float) -> Packet | None:
        """Return the next packet to carry, or None when there is nothing to say."""
        out, inward = self.out, self.inward
        first, messages = out.take(now)
        ack = inward.ack
        if first and not messages and not self._must_say and ack == self._said:
            return None
        self._said = ack
        self._must_say = False
        inward.due_settled = inward.settled + inward.half
        inward.due_bytes = inward.settled_bytes + inward.half_bytes
        return made_packet((first, messages, ack, out.taken, out.small))

    def push(self, packet: Packet, now: float) -> Sequence[Message]:
        """Take a packet in; return the messages that are now due, in order and never twice.

        Raises ValueError when it acknowledges what was never sent.
        """
        first, messages, ack, _, small = packet
        inward = self.inward
        self.out.acknowledge(ack, now)
        before = inward.duplicates
        due = inward.accept(first, messages, small=small)
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
