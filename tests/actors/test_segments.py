"""Segments are cut in slots, numbered, and made only while there is room for them."""

from __future__ import annotations

import logging
import os

import pytest

from tests.actors.lent import Reader, begun, descriptors
from tests.actors.pretend import GPU, Pretend
from tether.actors.segments import SEGMENT, SLOTS, Plan, Segments

SIZE = 128 << 10


def test_small_slots_share_a_segment_and_large_ones_have_their_own() -> None:
    segments = Segments()

    small, large = segments.make(SIZE), segments.make(3 * SEGMENT)

    assert (len(small), len(large)) == (SLOTS, 1)
    first = small[0].address
    assert [piece.address for piece in small] == [first + k * SIZE for k in range(SLOTS)]
    assert {piece.segment for piece in small} == {small[0].segment}
    assert large[0].size == 3 * SEGMENT


def test_every_slot_has_its_own_word_on_a_board() -> None:
    segments = Segments()

    pieces = [*segments.make(SIZE), *segments.make(SIZE), *segments.make(SEGMENT)]

    assert len({piece.word for piece in pieces}) == 2 * SLOTS + 1
    assert Plan(9, 3, SIZE, 4).word(2) == 3 * SLOTS + 2


def test_no_more_segments_are_made_than_have_a_place_until_one_is_retired() -> None:
    segments = Segments(most=1)
    (piece,) = segments.make(SEGMENT)
    full = segments.make(SEGMENT)

    segments.retire(piece.segment)
    (after,) = segments.make(SEGMENT)

    assert full == []
    assert piece.segment.retired
    assert after.segment.plan.number > piece.segment.plan.number
    assert after.segment.plan.place == piece.segment.plan.place


def test_a_segment_that_cannot_be_made_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def too_many(name: str, flags: int) -> int:
        raise OSError(24, "Too many open files")

    segments = Segments()
    monkeypatch.setattr(os, "memfd_create", too_many)
    with caplog.at_level(logging.WARNING, "tether"):
        made = [segments.make(SEGMENT), segments.make(SEGMENT)]

    assert made == [[], []]
    (record,) = caplog.records
    assert "tensors are copied through sockets" in record.getMessage()


def test_a_gpu_that_has_no_memory_left_is_told_by_itself(
    gpu: Pretend, caplog: pytest.LogCaptureFixture
) -> None:
    gpu.room = False
    segments = Segments()

    made = [segments.make(SEGMENT, GPU), segments.make(SEGMENT, GPU)]

    assert made == [[], []]
    (record,) = caplog.records
    assert f"{SEGMENT} bytes on GPU {GPU} (out of memory)" in record.getMessage()
    assert len(segments.make(SEGMENT)) == 1


def test_memory_of_a_retired_segment_ends_with_who_looks_at_it() -> None:
    before = descriptors()
    segments = Segments()
    (piece,) = segments.make(SEGMENT)

    segments.retire(piece.segment)
    during = descriptors()
    del piece

    assert (during > before, descriptors()) == (True, before)


def test_a_slot_is_unread_when_all_have_given_it_back() -> None:
    (piece,) = Segments().make(SEGMENT)
    readers = [Reader(), Reader()]
    seen = []
    for reader in readers:
        number, slot = begun(reader.lending).lend(piece)
        reader.hear()
        seen.append(reader.leases.lease(number, slot, 0, 8))
    both = piece.unread()

    seen.pop()
    one = piece.unread()
    seen.pop()

    assert (both, one, piece.unread()) == (False, False, True)


def test_a_slot_whose_way_broke_off_is_lost_until_its_reader_is_dead() -> None:
    (piece,) = Segments().make(SEGMENT)
    reader = Reader()
    begun(reader.lending).lend(piece)
    whole = piece.lost

    reader.break_off()
    lost = piece.unread(), piece.lost
    reader.lending.end()

    assert (whole, lost) == (False, (False, True))
    assert (piece.unread(), piece.lost) == (True, False)
