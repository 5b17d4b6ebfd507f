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
