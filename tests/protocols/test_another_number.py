"""Each protocol with a center or rounds goes on from its state with another number of workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch

from tests.protocols.team import Team
from tests.protocols.test_diloco import Stream
from tests.protocols.test_hierarchical import Hierarchy
from tether.actors import Group
from tether.actors.state import dump, load
from tether.protocols import (
    admm,
    adownpour,
    downpour,
    easgd,
    easgd_gauss_seidel,
    easgd_outer,
    easgd_paper,
    easgd_synchronous,
    easgd_tree,
    local_sgd_updates,
    local_sign_sgd,
    mdownpour,
    sharded,
)
from tether.protocols.outer import block_momentum
from tether.protocols.quadratic import Quadratic
from tether.protocols.resting import Resting

BEFORE, AFTER, FIRST = 6, 12, 3
"""Steps until a run ends and until it is resumed to, and the workers it begins with."""

Run = tuple[list[Any], list[Any]]
"""Those in the middle, and the workers."""


def at(x: float) -> torch.Tensor:
    return torch.full((4,), x, dtype=torch.float64)


def noisy(k: int) -> Quadratic:
    return Quadratic(4, eta=0.05, h=1.0, sigma=0.5, optimum=0.0, start=9.0, seed=k)


def pulled(center: Callable[[], Any], worker: Callable[..., Any]) -> Callable[[int, int], Run]:
    """Return how to make workers who ask a center themselves."""

    def made(K: int, steps: int) -> Run:
        middle = center()
        return [middle], [worker(middle, noisy(k), steps=steps) for k in range(K)]

    return made


def asked(center: Callable[..., Any], worker: Callable[..., Any]) -> Callable[[int, int], Run]:
    """Return how to make workers whom a center asks."""

    def made(K: int, steps: int) -> Run:
        workers = [worker(noisy(k)) for k in range(K)]
        return [center(at(8.0), Group(workers), steps)], workers

    return made


def shards(K: int, steps: int) -> Run:
    middle = [sharded.Shard(at(8.0), 0.2, index, 2) for index in range(2)]
    each = [sharded.Sharded(Group(middle)) for _ in range(K)]
    return [*middle], [easgd.Worker(each[k], noisy(k), tau=2, steps=steps) for k in range(K)]


def tree(K: int, steps: int) -> Run:
    root = easgd_tree.Node(Resting(at(8.0)), 0.2)
    leaves = [easgd_tree.Node(noisy(k), 0.2, parent=root, steps=steps) for k in range(K)]
    root.children = Group(leaves)
    return [root], [*leaves]


def rounds(**kinds: Any) -> Callable[[int, int], Run]:
    def made(K: int, steps: int) -> Run:
        team = Team([noisy(k) for k in range(K)], 3, steps, start=at(8.0), **kinds)
        return [team.aggregator], [*team.workers]

    return made


def blocks(K: int, steps: int) -> Run:
    tree = Hierarchy([1, K - 1], H=3, Hb=2, steps=steps)
    return [tree.top, *tree.blocks], [*tree.workers]


def fragments(K: int, steps: int) -> Run:
    stream = Stream(2, 3, steps, noisy, K)
    return [*stream.fragments], [*stream.workers]


MADE: dict[str, Callable[[int, int], Run]] = {
    "easgd": pulled(lambda: easgd.Center(at(8.0), 0.2), partial(easgd.Worker, tau=2)),
    "easgd_outer": pulled(
        lambda: easgd_outer.Center(at(8.0), 0.2, block_momentum()),
        partial(easgd.Worker, tau=2),
    ),
    "easgd_paper": pulled(
        lambda: easgd_paper.Center(at(8.0), 0.2),
        partial(easgd_paper.Worker, tau=2),
    ),
    "sharded": shards,
    "easgd_synchronous": asked(
        lambda x, w, n: easgd_synchronous.Center(x, 0.2, w, n), easgd_synchronous.Worker
    ),
    "easgd_gauss_seidel": asked(
        lambda x, w, n: easgd_gauss_seidel.Center(x, 0.2, w, n), easgd_gauss_seidel.Worker
    ),
    "easgd_tree": tree,
    "downpour": pulled(lambda: downpour.Center(at(8.0)), partial(downpour.Worker, tau=2)),
    "adownpour": pulled(lambda: adownpour.Center(at(8.0)), partial(downpour.Worker, tau=2)),
    "mdownpour": pulled(lambda: mdownpour.Center(at(8.0), 0.05, 0.5), mdownpour.Worker),
    "admm": asked(admm.Center, lambda learner: admm.Worker(learner, 1.0)),
    "local_sgd": rounds(),
    "local_sgd_updates": rounds(worker=local_sgd_updates.Worker),
    "local_sign_sgd": rounds(aggregator=local_sign_sgd.Aggregator, worker=local_sign_sgd.Worker),
    "hierarchical": blocks,
    "diloco": fragments,
}


async def run(actors: Sequence[Any]) -> None:
    """Let all run whose life ends."""
    lives = [each.run() for each in actors if hasattr(each, "run") and getattr(each, "steps", True)]
    await asyncio.gather(*lives)


@pytest.mark.parametrize("K", [2, 3, 5])
@pytest.mark.parametrize("name", MADE)
async def test_a_run_is_resumed_with_another_number_of_workers(name: str, K: int) -> None:
    middle, workers = MADE[name](FIRST, BEFORE)
    await run([*middle, *workers])
    saved = [[dump(each.state_dict()) for each in group] for group in (middle, workers)]

    resumed = MADE[name](K, AFTER)
    for group, states in zip(resumed, saved, strict=True):
        for actor, state in zip(group, states, strict=False):
            actor.load_state_dict(load(state))
    before = [dump(each.state_dict()) for each in resumed[0]]
    await run([*resumed[0], *resumed[1]])

    assert before[0] == saved[0][0] or name in AVERAGED
    assert all(torch.isfinite(worker.learner.x).all() for worker in resumed[1])
    assert [worker.t for worker in resumed[1]] == turns(name, K)


AVERAGED = {"local_sgd", "local_sgd_updates", "local_sign_sgd", "hierarchical", "diloco"}
"""Whose state names each of its members."""


def turns(name: str, K: int) -> list[int]:
    """Return how many steps each worker has made in all: those of the old ones, and of the new."""
    if name == "admm":  # worker t mod p moves at turn t
        old = [sum(t % FIRST == k for t in range(BEFORE)) for k in range(FIRST)]
        new = [sum(t % K == k for t in range(BEFORE, AFTER)) for k in range(K)]
        return [new[k] + (old[k] if k < FIRST else 0) for k in range(K)]
    if name in {"easgd_synchronous", "easgd_gauss_seidel"}:
        return [AFTER if k < FIRST else AFTER - BEFORE for k in range(K)]
    return [AFTER] * K
