"""An event loop polls for a moment after something moved, then sleeps."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tether.actors import spin
from tether.actors.spin import Spin


class Turns:
    """An event loop that has its turns when a test says so, in time that stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 5.0
        self.asked: list[Any] = []
        monkeypatch.setattr(spin, "monotonic", lambda: self.now)
        loop = SimpleNamespace(call_soon=self.asked.append)
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)

    def turn(self) -> None:
        """Do what was asked for."""
        asked, self.asked[:] = list(self.asked), []
        for callback in asked:
            callback()


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    return Turns(monkeypatch)


def in_vain(turns: Turns, spin: Spin) -> None:
    """Have nothing come until the time is over."""
    spin.moved()
    assert turns.asked
    turns.now += 2.0
    turns.turn()
    assert turns.asked == []


def test_the_loop_comes_round_until_nothing_has_moved_for_so_long(turns: Turns) -> None:
    spin = Spin(2.0)

    spin.moved()
    for now in (5.0, 6.9):
        turns.now = now
        turns.turn()
        assert len(turns.asked) == 1
    turns.now = 7.0
    turns.turn()

    assert turns.asked == []


def test_what_moves_meanwhile_begins_the_time_anew(turns: Turns) -> None:
    spin = Spin(2.0)

    spin.moved()
    turns.now = 6.5
    spin.moved()
    assert len(turns.asked) == 1, "the loop is asked once for each turn"
    turns.now = 8.4
    turns.turn()

    assert len(turns.asked) == 1


def test_after_a_time_in_vain_twice_as_many_frames_go_by_without_as_before(turns: Turns) -> None:
    spin = Spin(2.0)

    for rests in (1, 3, 7, 15, 31, 63, 127, 255, 255):
        in_vain(turns, spin)
        for _ in range(rests):
            spin.moved()
            assert turns.asked == []

    spin.heard()
    assert len(turns.asked) == 1


def test_once_it_was_not_in_vain_every_frame_has_the_loop_awake(turns: Turns) -> None:
    spin = Spin(2.0)
    in_vain(turns, spin)
    spin.moved()

    spin.moved()
    turns.turn()
    spin.heard()
    turns.now += 2.0
    turns.turn()
    assert turns.asked == []

    in_vain(turns, spin)


def polled(turns: Turns, seconds: float) -> float:
    """Let so many seconds go by; return for how long of them the loop came round at once."""
    start, end = turns.now, turns.now + seconds
    while turns.asked and turns.now < end:
        turns.now += 0.5
        turns.turn()
    found, turns.now = turns.now - start, end
    return found


def asked(turns: Turns, spin: Spin, seconds: float) -> float:
    """Send a frame whose answer takes so many seconds; return how long it was polled for it."""
    spin.moved()
    found = polled(turns, seconds)
    spin.heard()
    return found


def test_polling_goes_on_for_longer_where_nothing_comes_sooner_while_the_loop_sleeps(
    turns: Turns,
) -> None:
    spin = Spin(2.0)

    found = [asked(turns, spin, 5.0) for _ in range(6)]

    assert found == [2.0, 2.0, 0.0, 2.0, 4.0, 5.0]


def test_polling_is_seldom_where_what_is_awaited_comes_sooner_while_the_loop_sleeps(
    turns: Turns,
) -> None:
    spin, found = Spin(2.0), list[float]()

    for _ in range(40):
        asleep = spin._left > 0
        found.append(asked(turns, spin, 1.0 if asleep else 5.0))

    assert found.count(2.0) < 8


def test_what_takes_longer_than_it_may_be_polled_for_is_seldom_polled_for(turns: Turns) -> None:
    spin = Spin(2.0)

    found = [asked(turns, spin, 9.0) for _ in range(40)]

    assert found.count(2.0) < 8
    assert set(found) == {0.0, 2.0}


def test_it_is_polled_for_no_longer_than_usual_once_that_is_enough(turns: Turns) -> None:
    spin = Spin(2.0)
    before = [asked(turns, spin, 5.0) for _ in range(6)][-1]

    asked(turns, spin, 1.5)

    assert (before, polled(turns, 9.0)) == (5.0, 2.0)


def test_what_came_with_the_frame_that_woke_the_loop_was_not_waited_for(turns: Turns) -> None:
    spin = Spin(2.0)

    spin.heard()
    spin.heard()
    turns.now += 2.0
    turns.turn()
    spin.heard()

    assert turns.asked == []


@pytest.mark.parametrize("ended", [True, False])
def test_it_sleeps_at_once_without_seconds_and_once_ended(turns: Turns, ended: bool) -> None:
    spin = Spin(2.0 if ended else 0.0)
    spin.moved()
    spin.end()
    turns.turn()

    for _ in range(9):
        spin.heard()

    assert turns.asked == []
