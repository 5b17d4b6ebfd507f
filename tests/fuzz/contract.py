"""What every decoder of a peer's bytes promises: a value or its own error, in bounds of memory and
time.
"""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

SECONDS = 1.0
"""Of the processor, that no input may take; those that are tried are a few kilobytes."""
MEBIBYTE = 1 << 20
FACTOR = 256
"""Bytes of memory for each that came: an empty dict takes 88, and 120 extensions may be inside one
another, each with a copy of its own.
"""


class Breach(Exception):
    """A decoder does what it promises not to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A decoder: the errors it documents, valid inputs, and the memory it may take for any."""

    name: str
    decode: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    seeds: Callable[[], Sequence[bytes]]
    memory: int = MEBIBYTE

    def limit(self, data: bytes) -> int:
        """Return how much memory an input may take."""
        return self.memory + FACTOR * len(data)


class Meter:
    """Tries inputs on a target, measures each, and counts what came of them."""

    def __init__(self, target: Target, every: int = 1) -> None:
        self.target = target
        self.every = every
        self.count: Counter[str] = Counter()
        self.most_memory = 0
        self.most_seconds = 0.0

    def tries(self, data: bytes) -> None:
        """Try an input; raises Breach. The memory of one in `every` is measured."""
        if self.count.total() % self.every:
            self._timed(data)
            return
        tracemalloc.start()
        try:
            self._timed(data)
            memory = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.most_memory = max(self.most_memory, memory)
        if memory > self.target.limit(data):
            raise Breach(
                f"{self.target.name}: {len(data)} bytes took {memory} of memory, but "
                f"{self.target.limit(data)} is the limit"
            )

    def _timed(self, data: bytes) -> None:
        begin = time.thread_time()
        self.count[self._outcome(data)] += 1
        seconds = time.thread_time() - begin
        self.most_seconds = max(self.most_seconds, seconds)
        if seconds > SECONDS:
            raise Breach(f"{self.target.name}: {len(data)} bytes took {seconds:.1f} s")

    def _outcome(self, data: bytes) -> str:
        try:
            self.target.decode(data)
        except Breach:
            raise
        except self.target.errors as error:
            if any(map(_of_memory, _chain(error))):
                raise Breach(f"{self.target.name}: there was not enough memory") from error
            return "refused"
        except BaseException as error:
            raise Breach(f"{self.target.name}: {type(error).__name__} came out") from error
        return "value"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # an error may be its own cause
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)
