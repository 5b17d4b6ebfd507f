"""One message of one actor, as it is called in this process: what a handle's attribute is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tether.actors.context import acting, deadline
from tether.actors.handlers import Handler
from tether.actors.link import Link
from tether.actors.message import Body, Kind, Message
from tether.actors.plain import plain_call

if TYPE_CHECKING:
    from tether.actors.calls import Calls
    from tether.actors.cell import Cell

TELL = Kind.TELL


class Caller:
    """Sends one message to one actor; keeps the link of who called last."""

    __slots__ = ("_calls", "_cell", "_link", "_method", "_plain", "handler", "name")

    def __init__(self, calls: Calls, name: str, handler: Handler) -> None:
        self._calls = calls
        self.name = name
        self.handler = handler
        self._method = handler.name
        self._cell: Cell | None = None
        self._link: Link | None = None
        self._plain = True
        """Whether its last arguments were plain: to try in vain costs an exception."""

    async def ask(self, *args: Any, **kwargs: Any) -> Any:
        """Send an ask, and return its answer."""
        calls = self._calls
        body = plain_call(args, kwargs) if self._plain and calls.presses is None else None
        if body is None:
            body = self._encoded(args, kwargs)
        return await self._sent(body)

    async def tell(self, *args: Any, **kwargs: Any) -> None:
        """Hand a one-way over: at once if there is room for it, and then nobody waits."""
        calls, here = self._calls, acting.get()
        body = plain_call(args, kwargs) if self._plain and calls.presses is None else None
        if body is None:
            body = self._encoded(args, kwargs)
        if here is not None and not here.cell.stopped and self.name not in calls.directory.gone:
            cell, link = here.cell, self._link
            if link is None or link.parted or cell is not self._cell:
                link = self._joined(cell)
            number, end = next(calls.numbers), deadline.get()
            chain = here.chain if here.turn else here.behind  # to ask costs more than to look
            message = Message(TELL, number, self._method, body, chain, cell.cut, deadline=end)
            if calls.switch.offer(link, message):
                if calls.witness is not None or body.saving is not None:
                    calls.left(link, message)
                return
        await self._sent(body)

    async def _sent(self, body: Body) -> Any:
        """Send a message; return its answer, or None once a one-way is handed over."""
        ask = self._calls.send(self.name, self.handler, body)
        try:
            return await ask.future
        except asyncio.CancelledError as error:
            self._calls.gave_up(ask, error)
            raise

    def _encoded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body:
        """Return arguments that may not be plain, and note whether the next may be."""
        body = self._calls.encode(self.handler, args, kwargs, self.name)
        self._plain = body.plain
        return body

    def _joined(self, cell: Cell) -> Link:
        """Return the link from who calls now, and keep it for the next time."""
        self._cell = cell
        self._link = link = self._calls.switch.link(cell.name, self.name)
        return link
