"""A lease reads in place for as long as anybody looks, and nothing else can be read."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.lent import LARGE, Reader, begun, descriptors, piece, pool
from tests.actors.pretend import Pretend
from tether.actors.leases import MOST, Leases, OtherGpu
from tether.actors.loans import BOARD
from tether.actors.memory import Pool
from tether.actors.region import Region
from tether.actors.segments import SEGMENTS, SLOTS, Piece


def test_what_is_lent_is_seen_in_place_and_can_be_written() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    memory[:] = 3

    seen = reader.lent(owner, memory)
    memory[5] = 4
    seen[6] = 5

    assert seen[:8].tolist() == [3, 3, 3, 3, 3, 4, 5, 3]
    assert memory[6] == 5


def test_a_lease_lasts_as_long_as_any_view_of_a_tensor_in_it() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    view = torch.from_numpy(reader.lent(owner, memory)).view(torch.float32)[3:5]
    gc.collect()
    read = piece(owner, memory).unread()

    del view
    gc.collect()

    assert (read, piece(owner, memory).unread()) == (False, True)


def test_only_the_part_that_is_spoken_of_is_seen() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    memory[:] = 0
    memory[40:44] = [1, 2, 3, 4]
    number, slot = begun(reader.lending).lend(piece(owner, memory))
    reader.hear()

    seen = reader.leases.lease(number, slot, 40, 4)

    assert seen.tolist() == [1, 2, 3, 4]


def test_a_segment_that_is_gone_is_seen_until_its_last_lease_ends() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(2 << 20)
    memory[:] = 9
    seen = reader.lent(owner, memory)
    piece(owner, memory).segment.forget()
    before = descriptors()

    reader.hear()
    del memory, owner
    gc.collect()

    assert seen.sum() == 9 * seen.nbytes
    del seen
    gc.collect()
    assert descriptors() < before


def test_what_was_lent_outlives_connection_and_owner() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(2 << 20)
    memory[:] = 8
    seen = reader.lent(owner, memory)

    reader.leases.close()
    del memory, owner, reader
    gc.collect()

    assert seen.sum() == 8 * seen.nbytes


def test_leases_may_end_in_any_thread() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    seen = [reader.lent(owner, memory) for _ in range(400)]

    def drop(_: int) -> None:
        for _ in range(100):
            seen.pop()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(drop, range(4)))

    assert piece(owner, memory).unread()


def test_a_fork_gives_nothing_back() -> None:
    owner, reader = pool(), Reader()
    memory = owner.take(LARGE)
    seen = [reader.lent(owner, memory)]
    pid = os.getpid()
    fake = pid + 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: fake)
        seen.clear()

    assert not piece(owner, memory).unread()


def test_descriptors_that_nobody_spoke_of_are_closed() -> None:
    before = descriptors()
    leases = Leases()
    leases.passed([os.dup(0), os.dup(0)])

    leases.close()

    assert descriptors() == before


def test_more_descriptors_than_any_news_can_speak_of_are_refused() -> None:
    leases = Leases()
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(MOST + 1)]

    with pytest.raises(OSError, match=f"{MOST + 1} descriptors came that nobody has spoken of"):
        leases.passed(files)

    leases.close()


@pytest.mark.parametrize(
    ("news", "text"),
    [
        (7, "news of shared memory are malformed: TypeError"),
        ([True, []], "not enough values to unpack"),
        ([False, [[1, 2]], []], "news of shared memory are malformed"),
        ([False, [], 5], "news of shared memory are malformed: TypeError"),
        ([False, [], [[5]]], r"\[5\] came where a count belongs"),
        ([False, [[1, -2, 4096, 1]], []], "-2 came where a count belongs"),
        ([False, [[1, SEGMENTS, 4096, 1]], []], "which has no place on a board"),
        ([False, [[1, 0, 4096, SLOTS + 1]], []], "which has no place on a board"),
        ([False, [[1, 0, 0, 1]], []], "which has no place on a board"),
        ([True, [], []], f"{BOARD} bytes of shared memory are announced, but none came"),
    ],
)
def test_news_that_make_no_sense_are_refused(news: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Leases().news(msgpack.packb(news))


def test_news_that_announce_more_than_they_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="5000 bytes do not hold what they announce"):
        Leases().news(b"\xdd\0\0\x13\x88" * 1000)


def told() -> Leases:
    """Return leases on a segment 5 of two slots of 4,096 bytes."""
    leases = Leases()
    regions = [Region.create(size) for size in (BOARD, 8192)]
    leases.passed([os.dup(region.fd) for region in regions])
    leases.news(msgpack.packb([True, [[5, 0, 4096, 2]], []]))
    return leases


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((4, 0, 0, 8), "a part lies in segment 4, which was not announced"),
        ((5, 2, 0, 8), "slot 2, but the segment has 2 slots of 4096 bytes"),
        ((5, 1, 4090, 8), "a part lies in bytes 4090 to 4098 of slot 1, but the segment has"),
        ((5, 1, 0, 0), "a part lies in bytes 0 to 0 of slot 1"),
    ],
)
def test_what_is_not_lent_is_refused(place: tuple[int, int, int, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        told().lease(*place)


@given(st.tuples(*[st.one_of(st.integers(0, 10), st.integers(4000, 9000))] * 4))
def test_no_place_reaches_beyond_its_slot(place: tuple[int, int, int, int]) -> None:
    leases = told()
    number, slot, start, nbytes = place

    try:
        seen = leases.lease(*place)
    except ValueError:
        assert number != 5 or slot > 1 or nbytes == 0 or start + nbytes > 4096
    else:
        base = leases._segments[5][1].address
        assert base <= seen.ctypes.data
        assert seen.ctypes.data + seen.nbytes <= base + 8192
        assert (number, seen.nbytes, int(seen.sum())) == (5, nbytes, 0)


def on_gpu(owner: Pool) -> tuple[torch.Tensor, Piece]:
    """Return memory of a GPU, and the slot that it lies in."""
    memory = owner.take_on("gpu", LARGE)
    assert memory is not None
    slot = owner.shared(memory.data_ptr())
    assert slot is not None
    return memory, slot


def test_a_gpus_memory_is_read_until_the_gpu_has_done_what_it_was_given(gpu: Pretend) -> None:
    reader, (memory, slot) = Reader(), on_gpu(pool())
    number, index = begun(reader.lending).lend(slot)
    reader.hear()
    seen = reader.leases.lease(number, index, 0, LARGE)
    memory.fill_(7)
    same = bool((seen == 7).all())

    gpu.work()
    del seen
    gc.collect()
    while_it_works = slot.unread()
    gpu.finish()
    gpu.after(gpu.fence(""))

    assert (same, while_it_works, slot.unread()) == (True, False, True)


def test_memory_of_a_gpu_that_is_not_seen_here_is_refused_apart(gpu: Pretend) -> None:
    reader, (_memory, slot) = Reader(), on_gpu(pool())
    begun(reader.lending).lend(slot)
    before = descriptors()
    gpu.sees.clear()

    with pytest.raises(OtherGpu, match="this process does not see GPU feed"):
        reader.hear()

    reader.leases.close()
    assert descriptors() <= before + 1  # the board's


def test_news_of_a_segment_are_four_numbers_and_a_gpu() -> None:
    with pytest.raises(ValueError, match="came where a segment belongs"):
        Leases().news(msgpack.packb([False, [[1, 2, 3, 4, "gpu", 6]], []]))
    with pytest.raises(ValueError, match="5 came where a name belongs"):
        Leases().news(msgpack.packb([False, [[1, 2, 4096, 4, 5]], []]))
