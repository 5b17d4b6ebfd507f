"""What became of every message of one sender to one receiver: loss is never silent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

NO_LOSS: Counter[str] = Counter()
"""What all books without a loss share: nobody writes into it."""


@dataclass(slots=True)
class Ledger:
    """The sender's books: sent = handled + dropped(reason) + unknown(dead) + in flight."""

    sent: int = 0
    handled: int = 0
    dropped: Counter[str] = field(default_factory=lambda: NO_LOSS)
    unknown: int = 0
    bytes: int = 0
    """Bytes of calls and answers sent."""
    late: int = 0
    """Answers that came when nobody waited any more."""

    def drop(self, why: str, count: int = 1) -> None:
        """Book calls as dropped for a reason."""
        if self.dropped is NO_LOSS:
            self.dropped = Counter()
        self.dropped[why] += count

    @property
    def in_flight(self) -> int:
        """Return how many are on their way or in the receiver's mailbox."""
        return self.sent - self.handled - self.dropped.total() - self.unknown

    def plain(self) -> dict[str, object]:
        """Return the books as plain data, for reports and summaries."""
        return {
            "sent": self.sent,
            "handled": self.handled,
            "dropped": dict(+self.dropped),
            "unknown": self.unknown,
            "in_flight": self.in_flight,
            "bytes": self.bytes,
            "late": self.late,
        }
