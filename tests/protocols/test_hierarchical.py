from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.protocols.team import Team
from tests.protocols.test_local_sgd import dyadic
from tests.protocols.test_local_sgd_invariants import simulated
from tether.actors import Group
from tether.actors.state import dump, load
from tether.protocols.aggregator import Aggregator
from tether.protocols.hierarchical import Block
from tether.protocols.local_sgd import Worker
from tether.protocols.quadratic import Quadratic, initial


class Hierarchy:
    """Blocks of workers below one aggregator."""

    def __init__(self, shape: list[int], H: int, Hb: int, steps: int) -> None:
        start = dyadic(0).x
        self.top = Aggregator(start, Group(), H * Hb)
        self.blocks = [Block(self.top, None, start, Group(), H) for _ in shape]  # type: ignore[arg-type]
        self.workers: list[Worker] = []
        for block, size in zip(self.blocks, shape, strict=True):
            block.share.me = block
            first = len(self.workers)
            made = [Worker(block, None, dyadic(first + k, 24), steps) for k in range(size)]  # type: ignore[arg-type]
            for worker in made:
                worker.share.me = worker
            block.workers = Group(made)
            self.workers += made
        self.top.workers = Group(self.blocks)

    async def run(self) -> Hierarchy:
        await asyncio.gather(*(worker.run() for worker in self.workers))
        return self

    @property
    def actors(self) -> list[Any]:
        return [self.top, *self.blocks, *self.workers]


@settings(max_examples=10)
@given(
    shape=st.sampled_from([[1, 1], [2, 2], [4, 4], [1, 3], [2]]),
    H=st.integers(1, 3),
    steps=st.integers(1, 9),
)
async def test_r7_with_hb_1_it_is_flat_local_sgd(shape: list[int], H: int, steps: int) -> None:
    flat = await Team([dyadic(k, 24) for k in range(sum(shape))], H, steps).run()

    tree = await Hierarchy(shape, H, 1, steps).run()

    assert torch.allclose(tree.top.c, flat.c, rtol=1e-14, atol=1e-15)
    if sum(shape) != 3:  # all numbers are dyadic
        assert torch.equal(tree.top.c, flat.c)


@pytest.mark.parametrize("Hb", [2, 3])
async def test_r7_with_one_block_it_is_local_sgd_within_it(Hb: int) -> None:
    flat = await Team([dyadic(k, 24) for k in range(2)], 2, 12).run()

    tree = await Hierarchy([2], 2, Hb, 12).run()

    assert torch.equal(tree.top.c, flat.c)


@settings(max_examples=10)
@given(
    shape=st.sampled_from([[1, 1], [2, 2], [1, 3], [2]]),
    H=st.integers(1, 3),
    Hb=st.integers(1, 3),
    steps=st.integers(1, 14),
)
async def test_l5_all_meet_every_h_times_hb_steps_and_a_block_every_h(
    shape: list[int], H: int, Hb: int, steps: int
) -> None:
    tree = Hierarchy(shape, H, Hb, steps)
    met: dict[int, list[int]] = {k: [] for k in range(len(tree.blocks) + 1)}
    for k, each in enumerate([tree.top, *tree.blocks]):
        each._moved = noting(each, met[k])  # type: ignore[method-assign]

    await tree.run()

    ends = {k: [t for t in range(1, steps + 1) if t % k == 0 or t == steps] for k in (H, H * Hb)}
    assert met == {0: ends[H * Hb], **{k + 1: ends[H] for k in range(len(shape))}}
    assert all(torch.equal(worker.learner.x, tree.top.c) for worker in tree.workers)


def noting(aggregator: Aggregator, met: list[int]) -> Any:
    moved = aggregator._moved

    def noted(done: Any) -> None:
        moved(done)
        met.append(aggregator.t)

    return noted


async def test_between_two_meetings_a_block_agrees_and_blocks_differ() -> None:
    tree = Hierarchy([2, 2], H=2, Hb=4, steps=8)
    seen: list[list[float]] = []
    tell = tree.blocks[0]._tell

    async def told(members: list[Any], beside: Tensor | None) -> None:
        seen.append((tree.blocks[0].c - tree.blocks[1].c).tolist())
        await tell(members, beside)

    tree.blocks[0]._tell = told  # type: ignore[method-assign]

    await tree.run()

    assert seen[0] != [0.0, 0.0]
    assert len(seen) == 4
    assert torch.equal(tree.blocks[0].c, tree.blocks[1].c)


async def test_l6_a_hierarchy_goes_on_bit_for_bit() -> None:
    undisturbed = await Hierarchy([2, 1], 2, 3, 12).run()
    first = await Hierarchy([2, 1], 2, 3, 6).run()
    saved = [dump(each.state_dict()) for each in first.actors]

    resumed = Hierarchy([2, 1], 2, 3, 12)
    for actor, state in zip(resumed.actors, saved, strict=True):
        actor.load_state_dict(load(state))
    await resumed.run()

    assert [dump(each.state_dict()) for each in resumed.actors] == [
        dump(each.state_dict()) for each in undisturbed.actors
    ]


@pytest.mark.parametrize("seed", range(2))
def test_among_faults_all_workers_end_at_the_same_c(seed: int) -> None:
    noise = {"n": 2, "eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0, "start": 1.0}
    c = {"make": initial, "n": 2, "start": 1.0}
    tables = {
        "run": {"seed": seed, "checkpoint": 0.3},
        "top": {"actor": Aggregator, "c": c, "workers": ["@left", "@right"], "H": 8},
    }
    for side in ("left", "right"):
        tables[side] = {
            "actor": Block, "above": "@top", "me": "@me", "c": c,
            "workers": f"@{side}worker[*]", "H": 4,
        }  # fmt: skip
        tables[f"{side}worker"] = {
            "actor": Worker, "count": 2, "aggregator": f"@{side}", "me": "@me", "steps": 80,
            "learner": {"make": Quadratic, **noise, "seed": "$seed"}, "patience": 0.5,
            "max_restarts": 20,
        }  # fmt: skip
    crashes = [{"at": "0.3s", "every": {"exponential": "0.3s"}, "times": 3, "actor": "leftworker"},
               {"at": "0.6s", "actor": "left"}, {"at": "0.9s", "actor": "top"}]  # fmt: skip

    actors, simulation = simulated(tables, {"crash": crashes}, {"compute": {"*": "10ms"}})

    workers = [actor for name, actor in actors.items() if "worker" in name]
    assert simulation.broken == {}
    assert [each.t for each in workers] == [80] * 4
