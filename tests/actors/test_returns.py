"""What comes back is booked once, whoever brings it and whenever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tether.actors.returns import Returns


class Sum(Returns[int]):
    """Adds what comes back; some of it brings more while it is booked."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.depth = 0
        self.deepest = 0

    def book(self, item: int) -> None:
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        before = self.total
        if item > 1:
            self.put(item - 1)
        self.total = before + 1
        self.depth -= 1


def test_what_is_brought_while_another_is_booked_waits_its_turn() -> None:
    returns = Sum()

    returns.put(5)

    assert (returns.total, returns.deepest) == (5, 1)


def test_nothing_is_booked_while_it_is_kept_as_it_is() -> None:
    returns = Sum()

    with returns.settled():
        returns.put(1)
        during = returns.total

    assert (during, returns.total) == (0, 1)


def test_nothing_is_lost_between_threads() -> None:
    returns = Sum()

    def bring(_: int) -> None:
        for _ in range(500):
            returns.put(2)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(bring, range(4)))

    with returns.settled():
        assert returns.total == 4 * 500 * 2
