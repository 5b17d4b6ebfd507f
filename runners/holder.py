"""Who holds an event loop up: whose code it is that its thread has been in for so long."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

from tether.actors.cell import Cell
from tether.actors.context import acting
from tether.actors.mailbox import Errand
from tether.actors.turn import BatchTurn, Turn

STANDARD = str(Path(os.__file__).parent)
"""Where the standard library lies."""
RUNTIME = ("tether.actors", "tether.runners")
DRIVERS = {("asyncio.base_events", "_run_once"), ("asyncio.runners", "run"), ("uvloop", "run")}
"""Functions that run an event loop: what called them did not hold it up."""
SOMETHING = "something"


class Holder(NamedTuple):
    """What holds an event loop up: `center/0: Center.block`, at `players.py:79`."""

    who: str
    where: str

    def text(self, seconds: float) -> str:
        """Return the sentence people read."""
        place = f", at {self.where}" if self.where else ""
        return f"{self.who} has held the event loop for {seconds:.1f} s{place}"


def holder(process: str, loop: asyncio.AbstractEventLoop, ident: int) -> Holder:
    """Return what a loop is at in its thread, which is another one than the caller's."""
    inside: list[FrameType] = []
    for frame in _frames(sys._current_frames().get(ident)):
        if found := LIVES.get(frame.f_code):
            return Holder(found(frame), _where(inside))
        inside.append(frame)
    return Holder(_task(process, loop), _where(inside))


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames from the innermost one out to what runs the loop."""
    while frame is not None and (_module(frame), frame.f_code.co_name) not in DRIVERS:
        yield frame
        frame = frame.f_back


def _turn(frame: FrameType) -> str:
    turn = frame.f_locals.get("self")
    return f"{turn.cell.name}: {turn.handler.title}" if isinstance(turn, Turn) else SOMETHING


def _life(frame: FrameType) -> str:
    cell = frame.f_locals.get("self")
    return f"{cell.name}: run()" if isinstance(cell, Cell) else SOMETHING


def _errand(frame: FrameType) -> str:
    cell, errand = frame.f_locals.get("self"), frame.f_locals.get("errand")
    if not isinstance(cell, Cell) or not isinstance(errand, Errand):
        return SOMETHING
    return f"{cell.name}: {_title(errand.function)}"


LIVES: dict[CodeType, Callable[[FrameType], str]] = {
    Turn.take.__code__: _turn,
    BatchTurn.take.__code__: _turn,
    Cell._live.__code__: _life,
    Cell._run_errand.__code__: _errand,
}
"""Where actors act: the code that has their frames above it, and who acts in such a frame."""


def _task(process: str, loop: asyncio.AbstractEventLoop) -> str:
    """Return whose task runs, where it is one that an actor or the runtime has started."""
    task = asyncio.current_task(loop)
    if sys.version_info >= (3, 12) and task is not None:
        here = task.get_context().get(acting)
        process = here.cell.name if here else process
    return f"{process}: {_title(task and task.get_coro())}"


def _title(function: object) -> str:
    return str(getattr(function, "__qualname__", SOMETHING))


def _where(frames: list[FrameType]) -> str:
    """Return the innermost line that is the user's, else a library's, else whose it may be."""
    theirs = [frame for frame in frames if not _is_runtime(frame)]
    own = [frame for frame in theirs if "-packages" not in frame.f_code.co_filename]
    for frame in [*own, *theirs, *frames][:1]:
        return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
    return ""


def _is_runtime(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    standard = file.startswith(STANDARD) and "-packages" not in file
    return standard or file.startswith("<") or _module(frame).startswith(RUNTIME)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))
