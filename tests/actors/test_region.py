"""Memory without a name is seen by all who have its descriptor, and ends with the last of them."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import mmap
import os

import pytest

from tests.actors.lent import descriptors
from tether.actors.region import Region


def written(region: Region, text: bytes) -> None:
    ctypes.memmove(region.address, text, len(text))


def read(region: Region, size: int) -> bytes:
    return ctypes.string_at(region.address, size)


def test_what_one_writes_the_other_reads() -> None:
    mine = Region.create(8192)
    theirs = Region.adopt(os.dup(mine.fd), 8192)

    written(mine, b"hello")

    assert read(theirs, 5) == b"hello"
    assert mine.nbytes == theirs.nbytes == 8192


def test_words_are_counts_in_it() -> None:
    region = Region.create(64)
    words = region.words()

    words[1] += 2**40

    assert (len(words), region.words()[1]) == (8, 2**40)


def test_its_pages_are_there_before_they_are_touched() -> None:
    def faults() -> int:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    region = Region.create(4 << 20)
    before = faults()

    ctypes.memset(region.address, 1, region.nbytes)

    assert faults() - before < region.nbytes / mmap.PAGESIZE / 10


def test_its_descriptor_ends_with_it() -> None:
    before = descriptors()
    region = Region.create(4096)
    during = descriptors()

    del region

    assert (during > before, descriptors()) == (True, before)


def test_memory_is_kept_by_who_reads_its_words() -> None:
    words = Region.create(4096).words()

    words[0] = 7

    assert words[0] == 7


def test_it_cannot_be_made_shorter() -> None:
    region = Region.create(4096)

    with pytest.raises(PermissionError):
        os.ftruncate(region.fd, 0)


def test_what_could_be_made_shorter_by_its_maker_is_refused() -> None:
    before = descriptors()
    fd = os.memfd_create("loose", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 4096)

    with pytest.raises(
        ValueError, match="a file of 4096 bytes was passed, but sealed memory of 40"
    ):
        Region.adopt(fd, 4096)

    assert descriptors() == before


def test_what_is_no_memory_or_of_another_size_is_refused() -> None:
    before = descriptors()
    sealed = os.memfd_create("short", os.MFD_ALLOW_SEALING)
    os.ftruncate(sealed, 100)
    fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    null = os.open(os.devnull, os.O_RDWR)

    for fd, size in ((sealed, 100), (null, 0)):
        with pytest.raises(ValueError, match=f"a file of {size} bytes was passed, but sealed mem"):
            Region.adopt(fd, 4096)

    assert descriptors() == before


def test_without_memory_it_is_an_error_of_the_system_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = descriptors()

    def none_left(fd: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", none_left)
    with pytest.raises(OSError, match="No space left"):
        Region.create(4096)

    assert descriptors() == before


def test_memory_that_a_gpu_knows_is_forgotten_by_it_before_it_ends() -> None:
    region, told = Region.create(4096), list[str]()
    region.unpin = lambda: told.append("forgotten")
    before = list(told)

    del region
    gc.collect()

    assert (before, told) == ([], ["forgotten"])
