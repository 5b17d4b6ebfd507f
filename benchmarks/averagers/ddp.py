"""torch's DistributedDataParallel over gloo: the gradient of every step is averaged."""

from __future__ import annotations

import os
from datetime import timedelta

import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from benchmarks.rank import Rank

PATIENCE = timedelta(seconds=120)


def run(rank: Rank) -> None:
    """Train one rank."""
    join(rank)
    rank.train(DistributedDataParallel(rank.model), rank.optimizer, dist.barrier)
    dist.destroy_process_group()


def join(rank: Rank) -> None:
    """Make the group of all ranks, over the loopback device."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(
        "gloo", store=rank.store, timeout=PATIENCE, world_size=rank.count, rank=rank.index
    )
