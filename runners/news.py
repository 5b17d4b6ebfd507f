"""What a process tells its run a few times a second: reports, traffic, queues."""

from __future__ import annotations

import asyncio
from typing import Any

from tether.actors.node import Node
from tether.runners.keeper import Tell

PAUSE = 0.25
"""Seconds between two tellings, where nothing else is said."""


class News:
    """Gathers what is reported, and tells it with how much was sent and what waits."""

    def __init__(self, node: Node, tell: Tell, pause: float = PAUSE) -> None:
        self.node = node
        self.pause = pause
        self.tell = tell
        self.tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._reports: list[list[Any]] = []
        self._queued: set[str] = set()
        self._ticker: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to tell."""
        if self._ticker is None:
            self._ticker = self._loop.create_task(self._tick())

    def add(self, name: str, step: int | None, metrics: dict[str, float]) -> None:
        """Take what an actor reports."""
        self._reports.append([self.node.clock.now(), name, step, metrics])

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.pause)
            self.flush()

    def report(self) -> None:
        """Tell what was reported since the last time, and nothing else: it costs little."""
        if self._reports:
            reports, self._reports = self._reports, []
            self.tell("news", reports, {}, {})

    def flush(self) -> None:
        """Tell what was reported since the last time, the traffic so far, and the queues now."""
        reports, self._reports = self._reports, []
        sent: dict[str, list[int]] = {}
        for (local, _), books in self.node.switch.books.items():
            total = sent.setdefault(local, [0, 0])
            total[0] += books.sent
            total[1] += books.bytes
        self.tell("news", reports, sent, self._queues())

    def _queues(self) -> dict[str, list[int]]:
        """Return who has messages waiting in its mailbox, or calls held back by a full one."""
        found = {name: [len(cell.mailbox), 0] for name, cell in self.node.cells.items()}
        for (local, _), link in self.node.switch.links.items():
            if local in found:
                found[local][1] += link.out.held
        told = {name for name, queue in found.items() if any(queue)}
        news = {name: found[name] for name in (told | self._queued) & found.keys()}
        self._queued = told
        return news

    def end(self) -> None:
        """Tell what is left to tell, and end."""
        if self._ticker is not None:
            self._ticker.cancel()
        self.flush()
