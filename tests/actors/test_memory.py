"""Transport memory is aligned, reused when nobody looks, and knows what is lent."""

from __future__ import annotations

import gc
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.lent import Reader, descriptors
from tests.actors.pretend import GPU, Pretend
from tether.actors.memory import ALIGNMENT, PAGE, Pool, aligned, rounded
from tether.actors.segments import Segments
from tether.actors.tensors import region_of


@given(st.integers(1, 1 << 20))
def test_memory_is_aligned_and_of_the_size_asked_for(nbytes: int) -> None:
    memory = Pool().take(nbytes)

    assert memory.nbytes == nbytes
    assert memory.ctypes.data % ALIGNMENT == 0


@pytest.mark.parametrize(
    ("nbytes", "size"),
    [(1, 64), (64, 64), (65, 128), (PAGE, PAGE), (PAGE + 1, 2 * PAGE), (3 * PAGE, 3 * PAGE)],
)
def test_sizes_are_rounded_to_classes(nbytes: int, size: int) -> None:
    assert rounded(nbytes) == size


@given(st.integers(0, 1 << 48))
def test_the_next_aligned_address_is_the_nearest(address: int) -> None:
    assert aligned(address) % ALIGNMENT == 0
    assert 0 <= aligned(address) - address < ALIGNMENT


def test_memory_nobody_looks_at_is_given_out_again() -> None:
    pool = Pool()
    memory = pool.take(1000)
    address = memory.ctypes.data

    del memory
    gc.collect()

    assert pool.free_bytes == 1024
    assert not pool.owns(address)
    assert pool.take(900).ctypes.data == address
    assert pool.free_bytes == 1024


def test_memory_is_busy_as_long_as_a_view_of_a_tensor_in_it_lives() -> None:
    pool = Pool()
    view = torch.from_numpy(pool.take(1024)).view(torch.float32)[3:5]
    gc.collect()
    busy = pool.free_bytes

    del view
    gc.collect()

    assert (busy, pool.free_bytes) == (0, 1024)


def test_no_more_is_kept_than_the_limit() -> None:
    pool = Pool(free_limit=1500)
    first, second = pool.take(1024), pool.take(1024)

    del first, second
    gc.collect()

    assert pool.free_bytes == 1024


def test_memory_is_lent_until_the_last_message_has_ended() -> None:
    pool = Pool()
    address = pool.take(64).ctypes.data
    pool.lend(address)
    pool.lend(address)

    pool.end_lend(address)
    still = pool.is_lent(address)
    pool.end_lend(address)

    assert (still, pool.is_lent(address)) == (True, False)


def test_only_the_beginning_of_a_slot_in_use_is_owned() -> None:
    pool = Pool()
    memory = pool.take(128)

    assert pool.owns(memory.ctypes.data)
    assert not pool.owns(memory.ctypes.data + 64)


LARGE = 2 << 20


def test_large_memory_is_shared_where_there_are_segments_and_small_never() -> None:
    shared, own = Pool(Segments()), Pool()
    large, small, alone = shared.take(LARGE), shared.take(PAGE), own.take(LARGE)

    assert shared.shared(large.ctypes.data) is not None
    assert shared.shared(small.ctypes.data) is None
    assert own.shared(alone.ctypes.data) is None
    assert large.ctypes.data % ALIGNMENT == 0


def test_slots_of_one_segment_are_given_out_before_another_is_made() -> None:
    pool = Pool(Segments(most=1))
    size = 2 * PAGE

    memories = [pool.take(size) for _ in range(9)]

    assert [pool.shared(memory.ctypes.data) is not None for memory in memories] == [True] * 8 + [
        False
    ]
    assert len({memory.ctypes.data for memory in memories}) == 9


def test_the_slot_used_last_is_given_out_first_but_not_while_it_is_read() -> None:
    pool, reader = Pool(Segments()), Reader()
    first, second = pool.take(LARGE), pool.take(LARGE)
    early, late = first.ctypes.data, second.ctypes.data
    seen = reader.lent(pool, second)
    del first
    del second

    while_read = pool.take(LARGE).ctypes.data
    del seen
    after = pool.take(LARGE).ctypes.data

    assert (while_read, after) == (early, early)
    kept = pool.take(LARGE)
    assert {kept.ctypes.data, pool.take(LARGE).ctypes.data} == {early, late}


def test_segments_beyond_the_limit_are_closed_when_nobody_reads_them() -> None:
    before = descriptors()
    pool, reader = Pool(Segments(), free_limit=LARGE), Reader()
    memories = [pool.take(LARGE) for _ in range(3)]
    seen = [reader.lent(pool, memory) for memory in memories]

    memories.clear()
    while_read = pool.free_bytes
    seen.clear()
    del seen
    pool.take(LARGE)

    assert (while_read, pool.free_bytes) == (3 * LARGE, LARGE)
    reader.lending.end()
    reader.leases.close()
    del pool, reader
    assert descriptors() == before


def test_a_segment_is_closed_only_as_a_whole() -> None:
    pool = Pool(Segments(), free_limit=0)
    kept, freed = pool.take(2 * PAGE), pool.take(2 * PAGE)

    del freed
    partly = pool.free_bytes
    del kept

    assert partly == 7 * 2 * PAGE
    assert pool.free_bytes == 0


def test_sizes_nobody_asks_for_any_more_make_room_for_others() -> None:
    pool = Pool(Segments(most=2))
    old = [pool.take(LARGE), pool.take(LARGE)]
    old.clear()

    memory = pool.take(2 * LARGE)

    assert pool.shared(memory.ctypes.data) is not None


def test_without_shared_memory_there_is_memory_of_ones_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Pool(Segments())

    def none_left(fd: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", none_left)
    memory = pool.take(LARGE)

    assert memory.nbytes == LARGE
    assert pool.shared(memory.ctypes.data) is None


def test_a_fork_neither_uses_nor_makes_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(Segments())
    pool.take(LARGE)
    fake = os.getpid() + 1

    monkeypatch.setattr(os, "getpid", lambda: fake)
    memory = pool.take(LARGE)

    assert pool.shared(memory.ctypes.data) is None


def test_a_gpus_memory_is_used_again_for_its_size_and_never_for_the_hosts(gpu: Pretend) -> None:
    pool = Pool(Segments())
    on_gpu = pool.take_on("gpu", 200_000)
    assert on_gpu is not None
    address = on_gpu.data_ptr()
    piece = pool.shared(address)
    assert piece is not None
    assert (piece.gpu, pool.owns(address)) == (GPU, True)

    del on_gpu
    gc.collect()
    on_host = pool.take(200_000)
    again = pool.take_on("gpu", 200_000)

    assert again is not None
    assert (on_host.ctypes.data == address, again.data_ptr() == address) == (False, True)


def test_small_pieces_of_a_gpus_memory_share_a_segment(gpu: Pretend) -> None:
    pool = Pool(Segments())
    pieces = [pool.take_on("gpu", 100) for _ in range(3)]

    found = [pool.shared(piece.data_ptr()) for piece in pieces if piece is not None]

    assert len({piece.segment for piece in found if piece is not None}) == 1


def test_a_gpu_that_shares_nothing_or_is_full_gives_none(gpu: Pretend) -> None:
    gpu.room = False
    full = Pool(Segments()).take_on("gpu", 100)
    gpu.sees.clear()

    assert (full, Pool(Segments()).take_on("gpu", 100), Pool().take_on("gpu", 100)) == (None,) * 3


def test_what_a_gpu_needs_is_made_room_for_by_what_nobody_uses(gpu: Pretend) -> None:
    pool = Pool(Segments(most=1))
    del (memory := {0: pool.take(200_000)})[0]
    gc.collect()

    assert memory == {}
    assert pool.take_on("gpu", 100) is not None


def test_memory_in_use_by_a_fork_is_its_parents(
    gpu: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(Segments())
    fake = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: fake)

    assert pool.take_on("gpu", 100) is None


def test_only_shared_memory_of_the_host_is_a_region(gpu: Pretend) -> None:
    pool = Pool(Segments())

    assert region_of(pool.take(200_000)) is not None
    assert region_of(pool.take(100)) is None


def test_a_gpu_without_memory_costs_the_host_none_of_what_it_keeps(gpu: Pretend) -> None:
    pool = Pool(Segments())
    memory = pool.take(200_000)
    address = memory.ctypes.data
    del memory
    gc.collect()
    gpu.room = False

    assert pool.take_on("gpu", 200_000) is None
    assert pool.take(200_000).ctypes.data == address
