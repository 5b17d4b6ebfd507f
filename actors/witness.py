"""Who sees what becomes of every call of a process: a simulated world holds the promises to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tether.actors.cell import Cell
    from tether.actors.link import Link
    from tether.actors.message import Message


class Witness(Protocol):
    """Is told of calls, at the side where it happens, and before anything comes of it."""

    def sent(self, link: Link, message: Message) -> None:
        """See a call handed in by its sender."""
        ...

    def resent(self, link: Link, message: Message) -> None:
        """See a call handed on to its receiver's next incarnation, which the last had not begun."""
        ...

    def withdrawn(self, link: Link, message: Message) -> None:
        """See a call taken back that had not left."""
        ...

    def came(self, link: Link, message: Message) -> None:
        """See a call delivered to its actor."""
        ...

    def begun(self, cell: Cell, message: Message) -> None:
        """See the handling of a call begin."""
        ...

    def answered(self, cell: Cell, message: Message, value: Any) -> None:
        """See a handler return."""
        ...

    def settled(self, link: Link, message: Message, dropped: str | None) -> None:
        """See a call handled, or dropped for a reason."""
        ...
