"""Where actors' states are kept: what a run's folder is to them, and what memory is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

Piece: TypeAlias = bytes | memoryview


class Storage(Protocol):
    """Named byte strings that are there whole, or not at all."""

    def write(self, name: str, pieces: Iterable[Piece]) -> None:
        """Replace what is kept under a name by these pieces, one after the other.

        After a crash it is the old or the new, never half. They are not joined: that would hold the
        interpreter's lock for as long as a copy takes.
        """
        ...

    def read(self, name: str) -> bytes:
        """Return what is kept under a name; raises FileNotFoundError when there is nothing."""
        ...

    def names(self) -> list[str]:
        """Return all names, sorted."""
        ...

    def remove(self, name: str) -> None:
        """Forget what is kept under a name; nothing happens when there is nothing."""
        ...


class MemoryStorage:
    """Keeps what is written as long as it lives itself: for worlds without a folder."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def write(self, name: str, pieces: Iterable[Piece]) -> None:
        """Replace what is kept under a name by these pieces, one after the other."""
        self._kept[name] = b"".join(pieces)

    def read(self, name: str) -> bytes:
        """Return what is kept under a name; raises FileNotFoundError when there is nothing."""
        if name not in self._kept:
            raise FileNotFoundError(f"nothing is kept under {name}")
        return self._kept[name]

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._kept)

    def remove(self, name: str) -> None:
        """Forget what is kept under a name; nothing happens when there is nothing."""
        self._kept.pop(name, None)
