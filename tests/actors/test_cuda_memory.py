"""A GPU's memory goes from process to process as a descriptor, and nothing of it is left behind."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.actors.driver import Driver, Result
from tests.actors.lent import descriptors
from tether.actors import cuda_memory
from tether.actors.cuda import Cuda
from tether.actors.cuda_memory import CudaMemory

SIZE = 100_000
ZERO, ONE = "00" * 16, "01" * 16


CACHES: tuple[Any, ...] = (cuda_memory.seen, cuda_memory._context, cuda_memory._grain)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """Three GPUs, of which two share their memory."""
    made = Driver()
    monkeypatch.setattr(cuda_memory, "driver", lambda: made)
    for cached in CACHES:
        cached.cache_clear()
    yield made
    gc.collect()
    for cached in CACHES:
        cached.cache_clear()


def test_a_gpu_has_one_name_and_its_number_in_each_process(driver: Driver) -> None:
    assert [cuda_memory.name(number) for number in range(3)] == [ZERO, ONE, ""]
    assert cuda_memory.ordinal(ONE) == 1


def test_memory_that_is_passed_holds_what_its_owner_writes(driver: Driver) -> None:
    memory = CudaMemory.create(ONE, SIZE)
    driver.reserved[memory.address][:5] = b"hello"

    there = CudaMemory.adopt(ONE, os.dup(memory.fd), SIZE)

    assert driver.reserved[there.address][:5] == b"hello"
    assert (memory.nbytes, there.nbytes) == (SIZE, SIZE)


def test_it_is_let_go_of_by_each_for_itself(driver: Driver) -> None:
    before = descriptors()
    memory = CudaMemory.create(ZERO, SIZE)
    there = CudaMemory.adopt(ZERO, os.dup(memory.fd), SIZE)
    address = there.address

    del memory
    gc.collect()
    alone = driver.mapped == {address}
    del there
    driver.reserved.clear()

    assert alone
    assert (driver.mapped, driver.handles, driver.contexts) == (set(), set(), 0)
    assert descriptors() == before


@pytest.mark.parametrize(
    ("name", "adopts"),
    [
        ("cuMemCreate", False),
        ("cuMemExportToShareableHandle", False),
        ("cuMemAddressReserve", False),
        ("cuMemSetAccess", False),
        ("cuMemImportFromShareableHandle", True),
        ("cuMemMap", True),
    ],
)
def test_what_the_driver_will_not_do_leaves_nothing(
    driver: Driver, name: str, adopts: bool
) -> None:
    memory = CudaMemory.create(ONE, SIZE)
    before = descriptors(), len(driver.mapped), len(driver.reserved)
    driver.fails[name] = Result.CUDA_ERROR_OUT_OF_MEMORY
    make: Callable[[], CudaMemory] = lambda: CudaMemory.create(ONE, SIZE)  # noqa: E731
    if adopts:
        make = lambda: CudaMemory.adopt(ONE, os.dup(memory.fd), SIZE)  # noqa: E731

    with pytest.raises(OSError, match=f"{name}: the GPU's driver answers CUDA_ERROR_OUT_OF_MEMORY"):
        make()

    assert (descriptors(), len(driver.mapped), len(driver.reserved)) == before
    assert driver.handles == set()


def test_memory_of_another_size_or_of_a_gpu_nobody_sees_is_refused(driver: Driver) -> None:
    memory = CudaMemory.create(ONE, SIZE)
    before = descriptors()

    with pytest.raises(OSError, match="cuMemMap: the GPU's driver answers CUDA_ERROR_INVALID"):
        CudaMemory.adopt(ONE, os.dup(memory.fd), 9 * SIZE)
    with pytest.raises(OSError, match="this process does not see GPU 0505"):
        CudaMemory.adopt("0505", os.dup(memory.fd), SIZE)

    assert descriptors() == before


def test_the_hosts_memory_is_made_known_and_forgotten_again(driver: Driver) -> None:
    unpin = cuda_memory.pin(ZERO, 4096, SIZE)
    known = set(driver.pinned)
    unpin()

    assert (known, driver.pinned, driver.contexts) == ({4096}, set(), 0)


def test_without_a_driver_or_its_bindings_no_gpu_is_seen(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def absent() -> Any:
        raise ModuleNotFoundError("No module named 'cuda'")

    driver.fails["cuInit"] = Result.CUDA_ERROR_INVALID_VALUE
    assert cuda_memory.seen() == {}
    cuda_memory.seen.cache_clear()
    monkeypatch.setattr(cuda_memory, "driver", absent)

    assert cuda_memory.name(0) == ""
    assert "pip install cuda-bindings" in caplog.text


def test_memory_may_outlive_the_driver(driver: Driver) -> None:
    memory = CudaMemory.create(ZERO, SIZE)
    driver.fails["cuMemUnmap"] = Result.CUDA_ERROR_INVALID_VALUE

    del memory  # as at the end of the process, with no word


@pytest.mark.gpu
def test_a_real_gpus_memory_is_seen_by_who_maps_it_again() -> None:
    gpu = Cuda().gpu("cuda:0")
    memory = CudaMemory.create(gpu, SIZE)
    there = CudaMemory.adopt(gpu, os.dup(memory.fd), SIZE)

    def seen(shared: CudaMemory) -> torch.Tensor:
        data = {"data": (shared.address, False), "shape": (SIZE,), "typestr": "|u1", "version": 3}
        return Cuda().flat(gpu, SimpleNamespace(__cuda_array_interface__=data))

    seen(memory).copy_(torch.arange(SIZE, device="cuda").to(torch.uint8))

    assert torch.equal(seen(there).cpu(), torch.arange(SIZE).to(torch.uint8))


@pytest.mark.gpu
def test_the_bindings_speak_to_a_real_driver() -> None:
    assert cuda_memory.seen()
    room = ctypes.create_string_buffer(1 << 20)
    unpin = cuda_memory.pin(cuda_memory.name(0), ctypes.addressof(room), 1 << 20)
    unpin()
