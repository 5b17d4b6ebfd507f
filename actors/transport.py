"""How frames get from one process to another: what every world's network implements, and meets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tether.actors.frames import Lease
    from tether.actors.link import Link
    from tether.actors.loans import Loans
    from tether.actors.message import Message
    from tether.actors.packet import Pair
    from tether.actors.words import Word


class Receiver(Protocol):
    """Who takes in what a transport brings."""

    def frame(self, data: bytes, lease: Lease | None = None) -> None:
        """Take a frame of packets in; `lease` gives the memory that it says was lent."""
        ...

    def chunk(self, header: bytes, data: memoryview) -> None:
        """Take a chunk of a large part in; `data` is only valid during the call."""
        ...

    def connected(self, process: str) -> None:
        """Say that a connection was made anew: what was under way may be lost."""
        ...


class Inbox(Protocol):
    """Who takes what the links deliver."""

    def deliver(self, link: Link, due: Iterable[Message]) -> None:
        """Take messages for an actor of this process, in order."""
        ...

    def orphaned(self, pair: Pair, message: Message) -> None:
        """Take an answer to an incarnation that has died while it was on its way."""
        ...

    def lost(self, link: Link) -> None:
        """Hear that words over a link may be lost: what was taken back is to be so again."""
        ...

    def word(self, word: Word) -> None:
        """Take a word of another runtime."""
        ...


class Transport(Protocol):
    """A network between named processes. It may lose, double and reorder what it carries."""

    resend_after: float | None
    """Seconds without acknowledgement after which links resend; None where only a broken
    connection loses anything, which `Receiver.connected` tells."""

    shares: bool
    """Whether it joins processes that may share memory."""

    async def start(self, receiver: Receiver) -> None:
        """Begin to take in what comes."""
        ...

    def send(self, process: str, frame: bytes) -> None:
        """Carry a frame of at most 8 MiB to a process: control, never behind bulk."""
        ...

    def loans(self, process: str) -> Loans | None:
        """Return what counts the memory that frames lend to a process; None where none can be."""
        ...

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        """Carry a chunk of a large part; `data` is not written until it has left."""
        ...

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        """Forget the connection to a process that has died, which may come back elsewhere."""
        ...

    async def close(self, linger: float) -> None:
        """Let what is queued leave for at most `linger` seconds, then end."""
        ...
