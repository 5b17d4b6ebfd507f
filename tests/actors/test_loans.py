"""Loans are counted by their owner, returns on a board, and nothing that is read is used again."""

from __future__ import annotations

import gc
import os
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.actors.lent import LARGE, Reader, begun, descriptors, piece, pool
from tether.actors.loans import ALL_REFUSED, GPU_REFUSED, TRIES, Lending
from tether.actors.memory import Pool
from tether.actors.region import Region
from tether.actors.segments import Piece


def test_a_slot_that_was_lent_often_is_free_when_it_came_back_as_often() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    mine = piece(owner, memory)

    seen = [reader.lent(owner, memory) for _ in range(3)]
    states = [mine.unread()]
    while seen:
        seen.pop()
        states.append(mine.unread())

    assert states == [False, False, False, True]


def test_news_are_told_once_with_the_board_first() -> None:
    owner = pool()
    loans = begun(Lending())
    first, second = owner.take(LARGE), owner.take(2 << 20)
    before = loans.news()

    loans.lend(piece(owner, first))
    news = loans.news()
    loans.lend(piece(owner, first))
    again = loans.news()
    loans.lend(piece(owner, second))
    more = loans.news()

    assert (before, again) == (None, None)
    assert news is not None
    assert more is not None
    assert (news.board, len(news.plans), len(news.regions)) == (True, 1, 2)
    assert (more.board, len(more.plans), len(more.regions)) == (False, 1, 1)


def test_that_a_segment_is_gone_is_told_to_those_who_know_it() -> None:
    owner = pool(free_limit=0)
    informed, ignorant = begun(Lending()), begun(Lending())
    memory = owner.take(2 << 20)
    number, _ = informed.lend(piece(owner, memory))
    ignorant.lend(piece(owner, memory))
    informed.news()
    for loans in (informed, ignorant):
        loans.end()
    known = Reader()
    known.lent(owner, memory)

    del memory

    news = begun(known.lending).news()
    assert news is not None
    assert (news.plans, news.gone) == ([], [number])


def test_a_segment_that_is_gone_before_it_was_told_of_is_passed_over() -> None:
    owner = pool(free_limit=0)
    lending = Lending()
    memory = owner.take(2 << 20)
    begun(lending).lend(piece(owner, memory))
    segment = piece(owner, memory).segment

    segment.forget()

    assert begun(lending).news() is None


def test_after_a_break_all_is_told_again() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    memory[:] = 7
    reader.lent(owner, memory)

    reader.break_off()
    seen = reader.lent(owner, memory)

    assert seen.tolist() == [7] * LARGE


def test_what_was_returned_before_a_break_is_free_and_what_was_under_way_is_not_used_again() -> (
    None
):
    owner, reader = pool(), Reader()
    returned, missed = owner.take(2 << 20), owner.take(2 << 20)
    reader.lent(owner, returned)
    reader.miss(owner, missed)
    places = [memory.ctypes.data for memory in (returned, missed)]
    reader.break_off()

    del returned, missed
    gc.collect()
    after = [owner.take(2 << 20) for _ in range(2)]

    assert places[0] in [memory.ctypes.data for memory in after]
    assert owner.free_bytes == 0


def test_the_dead_give_back_all_they_were_lent() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    mine = piece(owner, memory)
    kept = reader.lent(owner, memory)
    before = mine.unread()

    reader.lending.end()

    assert (before, mine.unread()) == (False, True)
    del kept


def test_who_came_after_the_dead_keeps_what_it_may_have_been_lent() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    reader.miss(owner, memory)
    reader.break_off()
    reader.miss(owner, memory)

    reader.lending.end()

    mine = piece(owner, memory)
    assert (mine.unread(), mine.lost, len(mine.lent)) == (False, True, 1)


def test_who_cannot_take_it_in_is_lent_nothing() -> None:
    refused, failing = Lending(), Lending()

    refused.refuse()
    for _ in range(TRIES):
        begun(failing)
        failing.cut()

    assert (refused.loans(), failing.loans()) == (None, None)


def test_a_reader_that_has_given_something_back_is_lent_to_after_any_number_of_breaks() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)

    for _ in range(2 * TRIES):
        reader.lent(owner, memory)
        reader.break_off()

    assert reader.lent(owner, memory).nbytes == LARGE


def test_without_memory_for_a_board_nothing_is_lent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(fd: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    lending = Lending()
    monkeypatch.setattr(os, "posix_fallocate", none_left)

    assert (lending.loans(), lending.loans()) == (None, None)
    (record,) = caplog.records
    assert "no board could be made" in record.getMessage()


def test_boards_of_the_dead_are_let_go() -> None:
    owner = pool()
    memory = owner.take(LARGE)
    before = descriptors()

    for _ in range(5):
        reader = Reader()
        reader.lent(owner, memory)
        reader.lending.end()
        reader.leases.close()
        del reader
    gc.collect()

    assert descriptors() == before
    assert isinstance(piece(owner, memory).segment.region, Region)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["take", "drop", "lend", "lend", "miss", "return", "return", "die", "break"]
        ),
        st.integers(0, 5),
    ),
    max_size=60,
)


def unused(owner: Pool) -> list[Piece]:
    """Return the slots that nobody looks at in their owner's process."""
    return [each for each in chain(*owner._free.values()) if isinstance(each, Piece)]


class Play:
    """An owner with a few readers, and what each of these should see."""

    def __init__(self) -> None:
        self.owner = pool()
        self.readers = [Reader(), Reader()]
        self.marks = 0
        self.held: list[tuple[Any, int]] = []
        self.seen: list[tuple[Reader, Any, int]] = []

    def act(self, step: str, which: int) -> None:
        reader = self.readers[which % 2]
        if step == "take":
            self.marks += 1
            memory = self.owner.take(LARGE)
            memory.view(np.uint64)[0] = self.marks
            self.held.append((memory, self.marks))
        elif step == "drop" and self.held:
            self.held.pop(which % len(self.held))
        elif step == "return" and self.seen:
            self.seen.pop(which % len(self.seen))
        elif step in {"lend", "miss"} and self.held:
            memory, mark = self.held[which % len(self.held)]
            if reader.lending.loans() is None:
                return  # it was cut off too often
            if step == "miss":
                reader.miss(self.owner, memory)
            else:
                self.seen.append((reader, reader.lent(self.owner, memory), mark))
        elif step == "break":
            reader.break_off()
        elif step == "die":
            self.die(reader)

    def die(self, reader: Reader) -> None:
        self.seen = [entry for entry in self.seen if entry[0] is not reader]
        reader.lending.end()
        self.readers[self.readers.index(reader)] = Reader()

    def check(self) -> None:
        """See that nobody wrote into what is held or read."""
        for memory, mark in [*self.held, *((seen, mark) for _, seen, mark in self.seen)]:
            assert memory.view(np.uint64)[0] == mark


@given(STEPS)
@example([("take", 0), ("lend", 0), ("break", 0), ("miss", 0), ("die", 0)])
@settings(max_examples=40, deadline=None)
def test_nothing_that_is_read_is_used_again_and_in_the_end_all_is_free_or_given_up(
    steps: list[tuple[str, int]],
) -> None:
    play = Play()

    for step, which in steps:
        play.act(step, which)
        play.check()

    play.held.clear()
    play.seen.clear()
    for reader in list(play.readers):
        reader.break_off()  # whatever lies behind it now is either back or given up
        reader.lending.end()
    gc.collect()
    left = unused(play.owner)
    assert all(each.unread() or each.lost for each in left), "lost by who died after a break"
    taken = [play.owner.take(LARGE) for _ in range(len(left) + 1)]
    assert len({memory.ctypes.data for memory in taken}) > len(left), "more than were free"
    assert not any(each.lost for each in unused(play.owner))


def test_who_refuses_a_gpus_memory_is_still_lent_the_hosts() -> None:
    lending = Lending()
    lending.refuse(GPU_REFUSED)
    after = lending.loans()
    assert after is not None
    lending.refuse(ALL_REFUSED)
    lending.cut()

    assert (after.gpus, lending.loans()) == (False, None)
