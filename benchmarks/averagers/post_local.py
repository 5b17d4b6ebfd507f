"""torch's PostLocalSGDOptimizer over gloo: parameters are averaged after every H-th step."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.post_localSGD_hook import (
    PostLocalSGDState,
    post_localSGD_hook,
)
from torch.distributed.algorithms.model_averaging.averagers import PeriodicModelAverager
from torch.distributed.optim import PostLocalSGDOptimizer
from torch.nn.parallel import DistributedDataParallel

from benchmarks import learners
from benchmarks.averagers import ddp
from benchmarks.rank import Rank


def run(rank: Rank) -> None:
    """Train one rank."""
    ddp.join(rank)
    model = DistributedDataParallel(rank.model)
    state: Any = PostLocalSGDState
    alone = state(None, None, start_localSGD_iter=0, post_local_gradient_allreduce=False)
    model.register_comm_hook(alone, post_localSGD_hook)
    averager = PeriodicModelAverager(period=learners.H, warmup_steps=0)
    # its averager averages after the first step, and then after every H further ones
    rank.train(model, PostLocalSGDOptimizer(rank.optimizer, averager), dist.barrier, since=1)
    dist.destroy_process_group()
