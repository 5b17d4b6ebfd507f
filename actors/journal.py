"""What a process has done so far, where it can still be read when the process is dead.

A row counts what two incarnations of two actors have said to each other, as one of them saw it.
In the real world rows lie in memory that is shared with the agent: after a SIGKILL it still knows
which call had begun, and what became of every message.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from enum import IntEnum
from typing import NamedTuple, Protocol

DROPS = ("cancelled", "expired", "superseded", "cycle", "absent")
"""Why a receiver drops a call, in the order of their words in a row."""


class Word(IntEnum):
    """The words of a row: unsigned integers of 64 bits that only grow."""

    SENT = 0
    """Calls handed in for the remote; taken off again when they wait for its next incarnation."""
    BYTES = 1
    """Bytes of calls and answers sent."""
    WITHDRAWN = 2
    """Calls taken back before they left: dropped as cancelled."""
    ABANDONED = 3
    """Calls that never left, because the remote will not come back: dropped as absent."""
    RAW = 4
    """Bytes that tensors of these messages had before they were compressed."""
    PACKED = 5
    """Bytes that these have in them."""
    ERROR = 6
    """Thousandths of a byte: for each such tensor its bytes before × its relative error."""
    STARTED = 7
    """The number of the last call of the remote whose handling has begun."""
    HANDLED = 8
    """Calls of the remote that were handled."""
    HANDLED_BYTES = 9
    """Bytes of the calls of the remote that were handled or dropped."""
    DROPPED = 10
    """From here on: calls of the remote dropped for each reason in `DROPS`."""


WORDS = Word.DROPPED + len(DROPS)

Row = MutableSequence[int]


class Key(NamedTuple):
    """Whose row it is: an incarnation of a local actor, and of the remote one it spoke with.

    With an empty `remote` it is the actor's own row: its first word is the last step reported.
    """

    local: str
    local_incarnation: int
    remote: str = ""
    remote_incarnation: int = 0


class Journal(Protocol):
    """Gives out rows, all zero at first; the same key gets the same row."""

    def row(self, key: Key) -> Row:
        """Return the row of a key."""
        ...

    def rows(self) -> Iterable[tuple[Key, Row]]:
        """Return all rows given out so far."""
        ...


class Memory:
    """A journal of this process's own: for worlds in which no process can die alone."""

    def __init__(self) -> None:
        self._rows: dict[Key, Row] = {}

    def row(self, key: Key) -> Row:
        """Return the row of a key."""
        return self._rows.setdefault(key, [0] * WORDS)

    def rows(self) -> Iterable[tuple[Key, Row]]:
        """Return all rows given out so far."""
        return list(self._rows.items())
