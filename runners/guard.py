"""A process's sign of life from a plain thread, which also names what holds its event loop up."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping

from tether.actors.cell import Cell
from tether.runners.blackbox import BlackBox
from tether.runners.holder import Holder, holder

NOBODY: Mapping[str, Cell] = {}

log = logging.getLogger("tether")


class Guard:
    """Beats for a process and for its event loop, and watches that the loop gets its turns.

    Its actors are those of `cells`. `ended` is called on the loop with each stall that is over, as
    a sentence and in seconds.
    """

    def __init__(
        self,
        box: BlackBox,
        name: str,
        stall: float = 1.0,
        beat: float = 1.0,
        ended: Callable[[str, float], None] | None = None,
        cells: Mapping[str, Cell] = NOBODY,
    ) -> None:
        self.box = box
        self.name = name
        self.stall = stall
        self.tick = min(beat, stall / 8)
        self.ended = ended
        self._cells = cells
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held: Holder | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to beat, and to watch the running loop of this thread."""
        loop, ident = asyncio.get_running_loop(), threading.get_ident()
        self._due = time.monotonic()
        self.box.process_beat = self._due
        self._beat(loop)
        self._thread = threading.Thread(
            target=self._watch, args=(loop, ident), name=f"{self.name} guard", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Beat for the last time, and end the thread at once; called on the loop."""
        if self._thread is None or self._timer is None:
            return
        self._stopped.set()
        self._thread.join()
        self._thread = None
        self._timer.cancel()
        self._shown()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self.tick, self._beat, loop)
        self._shown()

    def _shown(self) -> None:
        """Note that the loop has its turn; a stall, if there was one, is over."""
        now = time.monotonic()
        with self._lock:
            held, self._held = self._held, None
            seconds, self._due = now - self._due, now + self.tick
            self.box.loop_beat = now
            if held is not None:
                self.box.stall = ""
        if held is not None and self.ended is not None:
            self.ended(held.text(seconds), seconds)

    def _watch(self, loop: asyncio.AbstractEventLoop, ident: int) -> None:
        before, used = time.monotonic(), time.process_time()
        while not self._stopped.wait(self.tick):
            now, cpu = time.monotonic(), time.process_time()
            pause = now - before - self.tick
            if cpu - used < pause / 2:
                self._excuse(pause, now)
            before, used = now, cpu
            self.box.process_beat = now
            self._look(now, loop, ident)

    def _excuse(self, pause: float, now: float) -> None:
        """Blame nobody for time in which this thread did not run either, nor any other."""
        with self._lock:
            self._due = min(self._due + pause, now + self.tick)

    def _look(self, now: float, loop: asyncio.AbstractEventLoop, ident: int) -> None:
        with self._lock:
            late = now - self._due
            if late < self.stall:
                return
            new = self._held is None
            held = self._held = self._held or holder(self.name, loop, ident, self._cells)
            text = self.box.stall = held.text(late)
        if new:
            log.warning("%s", text)
