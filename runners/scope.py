"""All that one simulated process does: it can be stopped and go on, or be killed, from outside."""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar, copy_context
from typing import Any

from tether.runners.virtual import VirtualLoop, VirtualTask

CLOSINGS = 16
"""How often a coroutine may await something new while it is being closed."""


class Scope:
    """A process whose callbacks, timers and tasks all bear it in their context.

    While it is stopped they wait, in order. Once it is killed nothing comes of it any more: none of
    them runs again. Its coroutines are closed, so that a `finally` goes on up to its first await,
    but what that schedules, sends or wakes is dropped too.
    """

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.stopped = False
        self.killed = False
        self.since = 0.0
        """When it was stopped or killed last, or has gone on, in seconds."""
        self._loop = loop
        self._held: list[asyncio.Handle] = []
        self.context = copy_context()
        self.context.run(here.set, self)

    def stop(self) -> None:
        """Have nothing of it run until it goes on, as by SIGSTOP."""
        if not self.stopped and not self.killed:
            self.stopped, self.since = True, self._loop.time()
            self._loop.gate = admitted

    def go_on(self) -> None:
        """Have run what has waited, in its order, as by SIGCONT."""
        if self.stopped and not self.killed:
            self.stopped, self.since = False, self._loop.time()
            held, self._held = self._held, []
            self._loop.resume(held)

    def kill(self) -> None:
        """Have nothing of it run any more."""
        if self.killed:
            return
        self.killed, self.since = True, self._loop.time()
        self._loop.gate = admitted
        self._held.clear()
        for _ in range(CLOSINGS):  # what is closed may begin more
            mine = [task for task in self._loop.tasks() if task.context.get(here) is self]
            if not mine:
                return
            for task in mine:
                self.context.run(_close, task)

    def admits(self, handle: asyncio.Handle) -> bool:
        """Tell whether something of it may run now; what may not yet is kept."""
        if self.stopped and not self.killed:
            self._held.append(handle)
        return not self.stopped and not self.killed


here: ContextVar[Scope | None] = ContextVar("here", default=None)
"""The simulated process that the running code belongs to; None for the agent and the world."""


def admitted(context: Context, handle: asyncio.Handle) -> bool:
    """Tell whether a callback may run now."""
    scope = context.get(here)
    return scope is None or scope.admits(handle)


def _close(task: VirtualTask[Any]) -> None:
    """Let go of a task that will never run again."""
    task.abandon()
    for _ in range(CLOSINGS):
        try:
            task.coroutine.close()
        except RuntimeError:  # it awaits something in a `finally`; the next try comes further
            continue
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # what its `finally` raises, as a task group does, is nobody's
            return
        return
