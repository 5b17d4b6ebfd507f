"""hivemind's Optimizer with local updates: peers meet in a hash table, and average now and then."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks import learners
from benchmarks.rank import Rank


def run(rank: Rank) -> None:
    """Train one peer."""
    hivemind: Any = importlib.import_module("hivemind")
    first = [] if rank.index == 0 else rank.store.get("peers").decode().splitlines()
    dht = hivemind.DHT(initial_peers=first, host_maddrs=["/ip4/127.0.0.1/tcp/0"], start=True)
    if rank.index == 0:
        rank.store.set("peers", "\n".join(map(str, dht.get_visible_maddrs())))
    optimizer = hivemind.Optimizer(
        dht=dht,
        run_id="benchmark",
        optimizer=rank.optimizer,
        batch_size_per_step=learners.BATCH,
        target_batch_size=learners.BATCH * rank.count * learners.H,
        use_local_updates=True,
        matchmaking_time=1.0,
        averager_opts={"request_timeout": 0.5},
        averaging_timeout=30.0,
        average_state_every=1,
    )
    rank.train(rank.model, optimizer, lambda: _all_there(rank))
    optimizer.shutdown()
    dht.shutdown()


def _all_there(rank: Rank) -> None:
    rank.store.set(f"there-{rank.index}", "")
    rank.store.wait([f"there-{index}" for index in range(rank.count)])
