"""Transport memory is aligned, reused when nobody looks, and knows what is lent."""

from __future__ import annotations

import gc

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.memory import ALIGNMENT, PAGE, Pool, aligned, rounded


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
