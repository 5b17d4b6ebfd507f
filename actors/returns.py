"""What objects give back as they die: in any thread, and in the middle of anything."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Returns(ABC, Generic[T]):
    """Books what comes back, one after the other, whoever brings it.

    A `__del__` may run in an actor's own thread, and also in this one while it is booking. So it
    never waits: what it brings is booked at once, or by the one who is at it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._came: deque[T] = deque()

    @abstractmethod
    def book(self, item: T) -> None:
        """Take note of one item; no other is being booked meanwhile."""

    def put(self, item: T) -> None:
        """Bring an item back."""
        self._came.append(item)
        self._settle()

    def _settle(self) -> None:
        while self._came and self._lock.acquire(blocking=False):
            try:
                self._book_all()
            finally:
                self._lock.release()

    def _book_all(self) -> None:
        while self._came:
            self.book(self._came.popleft())

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Keep what is booked as it is during a block, once all that has come is."""
        with self._lock:
            self._book_all()
            yield
        self._settle()
