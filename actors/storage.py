"""Where actors' states are kept: the interface of a run's folder, or of a simulated disk."""

from __future__ import annotations

from typing import Protocol


class Storage(Protocol):
    """Named byte strings that are there whole, or not at all."""

    def write(self, name: str, data: bytes) -> None:
        """Replace what is kept under a name; after a crash it is the old or the new, never half."""
        ...

    def read(self, name: str) -> bytes:
        """Return what is kept under a name; raises FileNotFoundError when there is nothing."""
        ...

    def names(self) -> list[str]:
        """Return all names, sorted."""
        ...
