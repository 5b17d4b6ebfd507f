"""Fences, copies beside the training, and what is kept until a GPU has done with it."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.actors.pretend import Pretend
from tether.actors.cuda import Cuda
from tether.actors.memory import Pool
from tether.actors.segments import Segments
from tether.actors.tensors import region_of

SIZE = 1_000_000


class Kept:
    """Something that a GPU still reads."""


def test_what_is_kept_is_let_go_of_behind_its_fence() -> None:
    cuda, gpu = Cuda(), Pretend()
    gpu.work()
    kept = Kept()
    watched = weakref.ref(kept)
    cuda.after(gpu.fence(""), kept)
    del kept
    gc.collect()
    before = watched()

    gpu.finish()
    cuda.after(gpu.fence(""))

    assert before is not None
    del before
    gc.collect()
    assert watched() is None


def test_what_ends_in_other_threads_and_while_others_end_is_kept_and_let_go_of() -> None:
    cuda, gpu = Cuda(), Pretend()
    ended: list[int] = []

    class Ends:
        def __init__(self, number: int) -> None:
            self.number = number

        def __del__(self) -> None:
            if self.number < 100:
                cuda.after(gpu.fence(""), Ends(self.number + 100))
            ended.append(self.number)

    gpu.work()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: cuda.after(gpu.fence(""), Ends(number)), range(100)))
    gc.collect()
    before = list(ended)
    gpu.finish()
    cuda.after(gpu.fence(""))
    gc.collect()

    assert before == []
    assert sorted(ended) == list(range(200))


def test_the_hosts_tensors_lie_on_no_gpu_and_go_to_no_stream() -> None:
    x = torch.arange(3)

    assert not Cuda().holds(x)
    moved, fence = Cuda().up(x, "meta", None)
    assert (moved.device.type, fence) == ("meta", None)


@pytest.mark.gpu
def test_a_fence_is_passed_when_the_work_before_it_is_done() -> None:
    cuda = Cuda()
    x = torch.ones(4096, 4096, device="cuda")
    for _ in range(50):
        x = (x @ x).clamp_(max=1)

    fence = cuda.fence(x)
    fence.wait()

    assert fence.passed
    assert cuda.fence(cuda.gpu("cuda:0")) is not fence


@pytest.mark.gpu
def test_a_copy_to_the_host_has_what_was_written_before_the_fence() -> None:
    cuda, pool = Cuda(), Pool(Segments())
    memory = pool.take(4 * SIZE)
    x = torch.zeros(SIZE, device="cuda")
    for _ in range(100):
        x += 1

    room = torch.from_numpy(memory)
    cuda.down(x, cuda.fence(x), room, region_of(memory)).wait()

    region = region_of(memory)
    assert region is not None
    assert region.unpin is not None
    assert torch.equal(room.view(torch.float32), torch.full((SIZE,), 100.0))


@pytest.mark.gpu
def test_a_copy_from_the_host_is_there_for_what_comes_after_it() -> None:
    cuda, pool = Cuda(), Pool(Segments())
    memory = pool.take(4 * SIZE)
    came = torch.from_numpy(memory).view(torch.float32).fill_(3)

    moved, fence = cuda.up(came, "cuda:0", region_of(memory))
    total = float(moved.sum())

    assert fence is not None
    fence.wait()
    assert total == 3.0 * SIZE


@pytest.mark.gpu
def test_small_copies_go_to_pinned_memory() -> None:
    assert Cuda().pinned(100).is_pinned()
