"""Sees to it that what a transport lost is sent again, where the transport does not tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tether.actors.link import Link


class Watch:
    """The links that have something open, looked at every `after` seconds as long as there are any.

    Without `after` there is nothing to watch: the transport tells when a new connection stands.
    """

    def __init__(self, after: float | None, mark: Callable[[Link], None]) -> None:
        self._after = after
        self._mark = mark
        self._links: dict[Link, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._links)

    def over(self, link: Link) -> None:
        """Watch over what has just left by a link."""
        if self._after is None:
            return
        self._links[link] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._after, self._look, loop)

    def forget(self, link: Link) -> None:
        """Let go of a link whose other end, or this one, has died."""
        self._links.pop(link, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have said again what is overdue, and go on with the links that still wait for something.

        What they wait for are the others' acknowledgements, so none of them can open by itself.
        """
        self._timer = None
        watched, self._links = self._links, {}
        for link in watched:
            if link.resend_if_overdue(loop.time()):
                self._mark(link)
            if link.out.open:
                self.over(link)

    def close(self) -> None:
        """End the timer."""
        if self._timer is not None:
            self._timer.cancel()
