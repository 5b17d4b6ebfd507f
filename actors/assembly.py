"""The large parts of one message, put together from chunks that may come in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tether.actors.message import Part

Take = Callable[[int], Any]
"""Gives so many bytes of transport memory, as a flat uint8 array."""


class Assembly:
    """What has come of a message's parts."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._memory: dict[int, Any] = {}
        self._missing: dict[int, int] = {}
        self._seen: set[tuple[int, int]] = set()

    @property
    def nbytes(self) -> int:
        """Return how much memory is prepared."""
        return sum(memory.nbytes for memory in self._memory.values())

    def place(self, part: int, offset: int, nbytes: int, total: int) -> memoryview | None:
        """Return where a chunk belongs, or None when it was here before; count it as come.

        One of no bytes is not counted: it asks for all that lies behind its place. Raises
        ValueError when it does not lie inside its part.
        """
        memory = self._memory.get(part)
        if memory is None:
            if total <= 0:
                raise ValueError(f"a part of {total} bytes is announced, but one of more is wanted")
            memory = self._memory[part] = self._take(total)
            self._missing[part] = total
        if memory.nbytes != total or offset < 0 or nbytes < 0 or offset + nbytes > total:
            raise ValueError(
                f"a chunk of bytes {offset} to {offset + nbytes} of {total} came for a part of "
                f"{memory.nbytes}"
            )
        if (part, offset) in self._seen:
            return None
        if not nbytes:
            return memoryview(memory)[offset:]
        self._seen.add((part, offset))
        self._missing[part] -= nbytes
        return memoryview(memory)[offset : offset + nbytes]

    def complete(self, parts: tuple[Part, ...]) -> bool:
        """Tell whether all bytes of the message's parts are here.

        Raises ValueError when one is not as large as the message says.
        """
        for index, part in enumerate(parts):
            if part.memory is not None:  # it came by itself
                continue
            if index not in self._memory:
                return False
            if self._memory[index].nbytes != part.nbytes:
                raise ValueError(
                    f"part {index} has {self._memory[index].nbytes} bytes, but the message says "
                    f"{part.nbytes}"
                )
        return not any(self._missing.values())

    def fill(self, parts: tuple[Part, ...]) -> None:
        """Give each part its memory."""
        for index, part in enumerate(parts):
            if part.memory is None:
                part.memory = self._memory[index]
