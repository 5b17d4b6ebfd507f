"""A numbered line: once and in order over a network that loses, doubles and reorders."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.line import Line, is_body


class Pair:
    """Two ends of a line, and what is under way between them."""

    def __init__(self) -> None:
        self.now = 1.0
        self.ends = (Line(self.now), Line(self.now))
        self.came: tuple[list[Any], list[Any]] = ([], [])
        self.under_way: list[tuple[int, Any]] = []

    def give_out(self, end: int) -> None:
        """Have an end send what is due, and a beat."""
        line = self.ends[end]
        bodies = [*line.due(self.now), line.beat(self.now)]
        self.under_way += [(1 - end, body) for body in bodies]
        self.now += 0.001

    def deliver(self, index: int = 0) -> None:
        """Have what is under way at a place come."""
        end, body = self.under_way.pop(index)
        self.came[end].extend(self.ends[end].take(body, self.now))

    def settle(self) -> None:
        """Have all come that was put, over a network that works."""
        for _ in range(12):
            self.give_out(0)
            self.give_out(1)
            while self.under_way:
                self.deliver()


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_each_message_comes_once_and_in_order_whatever_is_lost(seed: int, many: int) -> None:
    chance, pair = Random(seed), Pair()

    for number in range(many):
        end = chance.randrange(2)
        pair.ends[end].put((end, number))
        pair.give_out(chance.randrange(2))
        for _ in range(chance.randrange(4)):
            if pair.under_way:
                index = chance.randrange(len(pair.under_way))
                if chance.random() < 0.3:
                    del pair.under_way[index]
                elif chance.random() < 0.2:
                    pair.under_way.append(pair.under_way[index])
                else:
                    pair.deliver(index)
        if chance.random() < 0.1:
            pair.ends[chance.randrange(2)].again()
    pair.settle()

    for end in (0, 1):
        numbers = [number for _, number in pair.came[end]]
        assert numbers == sorted(set(numbers))
    assert sum(map(len, pair.came)) == many
    assert [line.pending for line in pair.ends] == [0, 0]


def test_what_may_be_lost_has_no_number() -> None:
    pair = Pair()

    body = pair.ends[0].beat(pair.now, "beats")

    assert pair.ends[1].take(body, pair.now) == ["beats"]
    assert pair.ends[1].take(body, pair.now) == ["beats"]


def test_an_end_knows_up_to_when_the_other_has_heard_of_it() -> None:
    pair = Pair()
    line = pair.ends[0]

    pair.now = 5.0
    pair.give_out(0)
    pair.deliver()
    pair.now = 9.0
    pair.give_out(1)
    before = line.confirmed
    pair.deliver()

    assert (before, line.confirmed, line.heard) == (1.0, 5.0, pair.now)


def test_the_other_clock_is_told_from_what_came_fastest() -> None:
    line = Line(0.0)

    line.take([100.0, 0.0, 0, 0, None], 7.0)
    line.take([200.0, 0.0, 0, 0, None], 105.0)
    line.take([300.0, 0.0, 0, 0, None], 209.0)

    assert line.offset == -95.0


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ([1.0, 0.0, 0, 0, None], True),
        ([1, 0.0, 0, 0, None], False),
        ([1.0, 0.0, 0.0, 0, None], False),
        ([1.0, 0.0, 0, 0], False),
        ([1.0, 0.0, True, 0, None], False),
        ("line", False),
    ],
)
def test_what_has_another_shape_is_no_packet(body: Any, right: bool) -> None:
    assert is_body(body) is right
