"""Who holds an event loop up: whose code it is that its thread has been in for so long."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from tether.actors.cell import Cell
from tether.actors.context import acting

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


def holder(
    process: str, loop: asyncio.AbstractEventLoop, ident: int, cells: Mapping[str, Cell]
) -> Holder:
    """Return what a loop is at in its thread, which is another one than the caller's.

    Whose it is can be seen where a method of one of the actors in `cells` is being run: it is the
    outermost of them that was called by the runtime.
    """
    frames = [*_frames(sys._current_frames().get(ident))]
    actors = {id(cell.actor): cell for cell in [*cells.values()]}
    for index in reversed(range(len(frames))):
        cell = actors.get(id(_owner(frames[index])))
        if cell is not None:
            method = _method(cell, frames[index].f_code.co_name)
            return Holder(f"{cell.name}: {method}", _where(frames[: index + 1]))
    return Holder(_task(process, loop), _where(frames))


def _owner(frame: FrameType) -> object:
    """Return the object whose method a frame is of; None where it is none's."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _method(cell: Cell, name: str) -> str:
    return "run()" if name == "run" else f"{type(cell.actor).__name__}.{name}"


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames from the innermost one out to what runs the loop."""
    while frame is not None and (_module(frame), frame.f_code.co_name) not in DRIVERS:
        yield frame
        frame = frame.f_back


def _task(process: str, loop: asyncio.AbstractEventLoop) -> str:
    """Return whose task runs, where it is one that an actor or the runtime has started."""
    task = asyncio.current_task(loop)
    if task is None:
        return f"{process}: {SOMETHING}"
    if sys.version_info >= (3, 12):
        here = task.get_context().get(acting)
        process = here.cell.name if here else process
    return f"{process}: {getattr(task.get_coro(), '__qualname__', task.get_name())}"


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
