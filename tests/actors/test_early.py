"""What comes before the news of its sender is kept, once and within a bound, and then taken in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.early import OVERHEAD, Early
from tether.actors.packet import Pair, Window

WINDOW = Window(messages=4, bytes=10_000)
LIMIT = 2 * 10_000 + 16 * OVERHEAD


def pair(source: str = "center/0", incarnation: int = 2, target: str = "worker/0") -> Pair:
    return Pair(source, target, incarnation, 1)


class Taken(list[int]):
    """Notes what was taken in."""

    def keep(self, early: Early, number: int, pair: Pair, nbytes: int = 0, *place: int) -> None:
        early.keep(pair, number, nbytes, lambda: self.append(number), *place)


def test_what_was_kept_is_taken_in_in_its_order() -> None:
    early, taken = Early(WINDOW), Taken()
    for number in (3, 1, 2):
        taken.keep(early, number, pair())
    before = list(taken)

    early.release("center/0", 2)

    assert (before, taken, len(early)) == ([], [3, 1, 2], 0)


def test_only_the_sender_that_is_made_good_is_taken_in() -> None:
    early, taken = Early(WINDOW), Taken()
    taken.keep(early, 1, pair("center/0"))
    taken.keep(early, 2, pair("center/1"))

    early.release("center/0", 2)

    assert (taken, len(early)) == ([1], 1)


def test_what_is_older_is_forgotten_and_what_is_newer_kept() -> None:
    early, taken = Early(WINDOW), Taken()
    for incarnation in (2, 3, 4):
        taken.keep(early, incarnation, pair(incarnation=incarnation))

    early.release("center/0", 3)
    first = list(taken), len(early)
    early.release("center/0", 4)

    assert (first, taken) == (([3], 1), [3, 4])


def test_what_comes_again_is_kept_once() -> None:
    early, taken = Early(WINDOW), Taken()
    for _ in range(1000):
        taken.keep(early, 1, pair(), 9000)

    early.release("center/0", 2)

    assert taken == [1]


def test_pieces_of_one_message_are_kept_by_their_places() -> None:
    early, taken = Early(WINDOW), Taken()
    for part, offset in ((0, 0), (0, 5), (1, 0), (0, 5)):
        taken.keep(early, 7, pair(), 10, part, offset)

    assert len(early) == 3


def test_more_than_two_windows_of_a_sender_are_refused() -> None:
    early, taken = Early(WINDOW), Taken()
    taken.keep(early, 1, pair(), 10_000)
    taken.keep(early, 2, pair(), 10_000)

    text = (
        f"center/0 has said {20_000 + 2 * OVERHEAD} bytes to worker/0 as incarnation 2, which "
        "nobody has told of, and no more is kept"
    )
    with pytest.raises(ValueError, match=text):
        taken.keep(early, 3, pair(), 16 * OVERHEAD)
    taken.keep(early, 4, pair("center/1"), 10_000)

    assert len(early) == 3


def test_a_message_larger_than_the_window_is_kept_alone() -> None:
    early, taken = Early(WINDOW), Taken()
    for offset in range(0, 100_000, 10_000):
        taken.keep(early, 1, pair(), 10_000, 0, offset)

    with pytest.raises(ValueError, match="no more is kept"):
        taken.keep(early, 2, pair(), 1, 0, 0)
    assert len(early) == 10


def unwanted() -> None:
    """Nobody takes this in."""


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 30), st.integers(0, 5000)), max_size=200)
)
def test_what_is_kept_of_several_messages_is_bounded(said: list[tuple[int, int, int]]) -> None:
    early, kept = Early(WINDOW), dict[tuple[int, int], int]()

    for incarnation, number, nbytes in said:
        kept.pop((incarnation, number), None)
        try:
            early.keep(pair(incarnation=incarnation), number, nbytes, unwanted)
        except ValueError:
            assert sum(kept.values()) + nbytes + OVERHEAD > LIMIT
        else:
            kept[incarnation, number] = nbytes + OVERHEAD
        assert len(early) == len(kept)
        assert sum(kept.values()) <= LIMIT or len(kept) == 1
