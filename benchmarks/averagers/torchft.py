"""torchft's LocalSGD over gloo: a replica is one process, and a lighthouse tells who is there."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from benchmarks import learners
from benchmarks.rank import Rank

TCP_STORE: Any = dist.TCPStore  # type: ignore[attr-defined]
PATIENCE = timedelta(seconds=60)


def run(rank: Rank) -> None:
    """Train one replica; the first one has the lighthouse too."""
    lighthouse = None
    if rank.index == 0:
        server: Any = importlib.import_module("torchft.coordination").LighthouseServer
        lighthouse = server(bind="127.0.0.1:0", min_replicas=rank.count, join_timeout_ms=60_000)
        rank.store.set("lighthouse", lighthouse.address())
    store = TCP_STORE("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    manager = replica(rank, rank.store.get("lighthouse").decode(), store)
    local: Any = importlib.import_module("torchft.local_sgd").LocalSGD
    with local(manager, rank.model, rank.optimizer, sync_every=learners.H):
        rank.train(rank.model, rank.optimizer)
    manager.shutdown(wait=False)
    if lighthouse is not None:
        lighthouse.shutdown()


def replica(rank: Rank, lighthouse: str, store: Any) -> Any:
    """Return the manager of a replica, which has a store of its own."""
    torchft: Any = importlib.import_module("torchft")
    return torchft.Manager(
        pg=torchft.ProcessGroupGloo(timeout=PATIENCE),
        load_state_dict=rank.model.load_state_dict,
        state_dict=rank.model.state_dict,
        min_replica_size=rank.count,
        use_async_quorum=False,
        init_sync=False,
        timeout=PATIENCE,
        rank=0,
        world_size=1,
        store_addr="127.0.0.1",
        store_port=store.port,
        lighthouse_addr=lighthouse,
        replica_id=f"rank{rank.index}",
        hostname="127.0.0.1",
    )
