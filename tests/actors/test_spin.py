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


def test_the_loop_comes_round_until_nothing_has_moved_for_so_long(turns: Turns) -> None:
    moved = Spin(2.0)

    moved()
    for now in (5.0, 6.9):
        turns.now = now
        turns.turn()
        assert len(turns.asked) == 1
    turns.now = 7.0
    turns.turn()

    assert turns.asked == []


def test_what_moves_meanwhile_begins_the_time_anew(turns: Turns) -> None:
    moved = Spin(2.0)

    moved()
    turns.now = 6.5
    moved()
    assert len(turns.asked) == 1, "the loop is asked once for each turn"
    turns.now = 8.4
    turns.turn()

    assert len(turns.asked) == 1


def test_after_a_sleep_it_wakes_again(turns: Turns) -> None:
    moved = Spin(2.0)
    moved()
    turns.now = 9.0
    turns.turn()

    moved()

    assert len(turns.asked) == 1


@pytest.mark.parametrize("ended", [True, False])
def test_it_sleeps_at_once_without_seconds_and_once_ended(turns: Turns, ended: bool) -> None:
    moved = Spin(2.0 if ended else 0.0)
    moved()
    moved.end()
    turns.turn()

    moved()

    assert turns.asked == []
