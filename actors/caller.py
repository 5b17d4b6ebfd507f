"""One message of one actor, as it is called in this process: what a handle's attribute is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tether.actors.context import acting, deadline
from tether.actors.handlers import Handler
from tether.actors.link import Link
from tether.actors.message import Kind, Message
from tether.actors.plain import plain_body

if TYPE_CHECKING:
    from tether.actors.calls import Calls
    from tether.actors.cell import Cell

TELL = Kind.TELL


class Caller:
    """Sends one message to one actor; keeps the link of who called last."""

    __slots__ = ("_calls", "_cell", "_link", "handler", "name")

    def __init__(self, calls: Calls, name: str, handler: Handler) -> None:
        self._calls = calls
        self.name = name
        self.handler = handler
        self._cell: Cell | None = None
        self._link: Link | None = None

    async def ask(self, *args: Any, **kwargs: Any) -> Any:
        """Send an ask, and return its answer."""
        calls, name, handler = self._calls, self.name, self.handler
        body = plain_body([list(args), kwargs]) if calls.presses is None else None
        if body is None:
            body = calls.encode(handler, args, kwargs, name)
        return await calls.call(name, handler, body)

    async def tell(self, *args: Any, **kwargs: Any) -> None:
        """Hand a one-way over: at once if there is room for it, and then nobody waits."""
        calls, handler = self._calls, self.handler
        here = acting.get()
        body = plain_body([list(args), kwargs]) if calls.presses is None else None
        if body is None:
            body = calls.encode(handler, args, kwargs, self.name)
        if here is not None and not here.cell.stopped and self.name not in calls.directory.gone:
            cell, link = here.cell, self._link
            if link is None or link.parted or cell is not self._cell:
                link = self._joined(cell)
            number, end = next(calls.numbers), deadline.get()
            message = Message(TELL, number, handler.name, body, end, here.chain, cell.cut)
            if calls.switch.offer(link, message):
                calls.left(link, message)
                return
        await calls.call(self.name, handler, body)

    def _joined(self, cell: Cell) -> Link:
        """Return the link from who calls now, and keep it for the next time."""
        self._cell = cell
        self._link = link = self._calls.switch.link(cell.name, self.name)
        return link
