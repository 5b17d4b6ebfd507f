"""Data parallelism as torch has it, measured as the averaging protocols are: by gloo."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.algorithms.model_averaging.averagers import PeriodicModelAverager
from torch.distributed.optim import PostLocalSGDOptimizer
from torch.multiprocessing.spawn import spawn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from benchmarks import learners
from benchmarks.measure import together


def rate(kind: str, workers: int, every: int = 0) -> Callable[[int], float]:
    """Return what measures DistributedDataParallel; with `every`, local SGD."""

    def measured(steps: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            answers = multiprocessing.get_context("spawn").SimpleQueue()
            store = f"file://{Path(folder) / 'store'}"
            given = (workers, kind, steps, every, store, answers)
            spawn(work, given, nprocs=workers)  # type: ignore[no-untyped-call]
            return together([answers.get() for _ in range(workers)])

    return measured


def work(
    rank: int, workers: int, kind: str, steps: int, every: int, store: str, answers: Any
) -> None:
    """Be one of the workers: make the steps, and say when."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=workers)
    model, batches = learners.network(kind), learners.batches(rank)
    optimizer: Any = torch.optim.SGD(model.parameters(), lr=learners.ETA)
    if every:
        optimizer = PostLocalSGDOptimizer(optimizer, PeriodicModelAverager(period=every))
    else:
        model = DistributedDataParallel(model)
    dist.barrier()
    begin = time.monotonic()
    for step in range(steps):
        inputs, targets = batches[step % len(batches)]
        optimizer.zero_grad()
        cross_entropy(model(inputs), targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    answers.put((begin, time.monotonic(), steps))
    dist.destroy_process_group()
