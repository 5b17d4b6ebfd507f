"""Waiting, in any world: for a condition, for an answer, or at a gate that a test opens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PAUSE = 0.002
"""Seconds between two looks."""


@dataclass(frozen=True)
class Gate:
    """A gate as a test sees it, a file; actors are sent its `path`, and `pass_through` it."""

    path: str

    @property
    def is_reached(self) -> bool:
        """Whether somebody has come to it."""
        return sign(self.path).exists()

    async def reached(self) -> None:
        """Wait until somebody stands before it."""
        await until(lambda: self.is_reached)

    def open(self) -> None:
        """Let through who stands before it, and whoever comes later."""
        touch(self.path)


def sign(path: str) -> Path:
    """Return the file that is there when somebody has come to a gate."""
    return Path(f"{path} reached")


def touch(path: str | Path) -> None:
    """Have a file."""
    Path(path).touch()


async def pass_through(path: str) -> None:
    """Go on when a gate is open."""
    touch(sign(path))
    await until(Path(path).exists)


def block(path: str) -> None:
    """Hold up the whole event loop until a gate is open."""
    touch(sign(path))
    while not Path(path).exists():
        time.sleep(PAUSE)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; the time a play may take bounds it."""
    while not condition():  # noqa: ASYNC110 - what is waited for sets no Event
        await asyncio.sleep(PAUSE)


async def eventually(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], object] = bool) -> T:
    """Ask until the answer is as wanted; return it."""
    while not wanted(answer := await ask()):  # noqa: ASYNC110 - the actor sets no Event here
        await asyncio.sleep(PAUSE)
    return answer


def doom(folder: str, actor: str, incarnation: int) -> Path:
    """Return the file that, when it is there, ends the life of an incarnation of a mortal."""
    return Path(folder) / f"{actor.replace('/', '-')} {incarnation} is doomed"
