from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch

from tests.protocols.conftest import build
from tests.protocols.team import Team
from tests.protocols.test_local_sgd import Stopped
from tests.protocols.test_local_sgd_invariants import simulated
from tether.actors import Group
from tether.actors.state import dump, load
from tether.protocols.diloco import Fragment, Worker
from tether.protocols.learner import Learner
from tether.protocols.outer import averaging, nesterov
from tether.protocols.quadratic import Quadratic, initial


class Stream:
    """Fragments and the workers that share them."""

    def __init__(
        self, P: int, H: int, steps: int, make: Callable[[int], Learner] = lambda k: build(seed=k),
        K: int = 2, outer: Any = nesterov, **options: Any,
    ) -> None:  # fmt: skip
        start = make(0).x
        self.fragments = [Fragment(start, Group(), H, p, P, outer()) for p in range(P)]
        group = Group(self.fragments)
        self.workers = [Worker(group, None, make(k), steps, **options) for k in range(K)]  # type: ignore[arg-type]
        for worker in self.workers:
            for share in worker.parts.each:
                share.me = worker
        for fragment in self.fragments:
            fragment.workers = Group(self.workers)

    async def run(self) -> Stream:
        await asyncio.gather(*(worker.run() for worker in self.workers))
        return self

    @property
    def c(self) -> torch.Tensor:
        return torch.cat([fragment.c for fragment in self.fragments])

    def saved(self) -> list[bytes]:
        return [dump(each.state_dict()) for each in (*self.fragments, *self.workers)]

    def restored(self, states: list[bytes]) -> Stream:
        for each, state in zip((*self.fragments, *self.workers), states, strict=True):
            each.load_state_dict(load(state))
        return self


def adamw(k: int) -> Learner:
    learner = build(seed=k)
    learner.optimizer = torch.optim.AdamW(learner.model.parameters(), lr=0.01)
    return learner


async def test_diloco_is_local_sgd_with_nesterov_outside_and_any_optimizer_inside() -> None:
    flat = await Team([adamw(k) for k in range(2)], 4, 12, given={"outer": nesterov()}).run()

    stream = await Stream(1, 4, 12, adamw).run()

    assert torch.equal(stream.c, flat.c)
    assert all(torch.equal(worker.learner.x, stream.c) for worker in stream.workers)


@pytest.mark.parametrize("P", [3, 4])
async def test_ragged_fragments_go_in_turn_and_each_once_in_h_steps(P: int) -> None:
    stream = await Stream(P, 12, 36).run()

    assert [fragment.t for fragment in stream.fragments] == [
        24 + 12 * (p + 1) // P for p in range(P)
    ]
    assert [fragment.rounds for fragment in stream.fragments] == [3] * P
    lengths = [len(fragment.c) for fragment in stream.fragments]
    assert sum(lengths) == 26
    assert len(set(lengths)) == 2


async def test_all_take_the_same_bits_of_a_fragment_where_nothing_is_mixed() -> None:
    stream = await Stream(3, 6, 12, outer=averaging, tau=1).run()

    last = len(stream.fragments[-1].c)
    assert all(
        torch.equal(worker.learner.x[-last:], stream.fragments[-1].c) for worker in stream.workers
    )


async def test_steps_go_on_while_a_fragment_is_under_way() -> None:
    stream = Stream(1, 4, 6, K=1, outer=averaging, tau=2)
    worker = stream.workers[0]
    under_way = []
    take = worker.parts.take

    async def noted(t: int, *, last: bool) -> None:
        under_way.append((t, dict(worker.parts.under_way)))
        await take(t, last=last)

    worker.parts.take = noted  # type: ignore[method-assign]

    await stream.run()

    assert [t for t, there in under_way if there] == [4, 5, 6]
    assert under_way[-1] == (6, {0: 6})


@pytest.mark.parametrize("before", [3, 4, 5, 7])
async def test_l6_it_goes_on_bit_for_bit_with_fragments_under_way(before: int) -> None:
    options: dict[str, Any] = {"tau": 2, "alpha": 0.5, "K": 1}
    undisturbed = await Stream(2, 4, 10, **options).run()
    first = Stream(2, 4, 10, **options)
    gradient, made = first.workers[0].learner.gradient, 0

    async def counted(*args: Any) -> torch.Tensor:
        nonlocal made
        if made == before:
            raise Stopped
        made += 1
        return await gradient(*args)

    first.workers[0].learner.gradient = counted  # type: ignore[method-assign]
    with suppress(Stopped):
        await first.run()

    resumed = Stream(2, 4, 10, lambda k: build(seed=9), **options).restored(first.saved())
    await resumed.run()

    assert resumed.saved() == undisturbed.saved()


@pytest.mark.parametrize("seed", range(2))
def test_among_crashes_all_come_to_the_end(seed: int) -> None:
    noise = {"n": 5, "eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0, "start": 1.0}
    tables = {
        "run": {"seed": seed, "checkpoint": 0.3},
        "fragment": {
            "actor": Fragment, "count": 2, "c": {"make": initial, "n": 5, "start": 1.0},
            "workers": "@worker[*]", "H": 8, "part": "$index", "of": "$count",
        },
        "worker": {
            "actor": Worker, "count": 3, "fragments": "@fragment[*]", "me": "@me", "steps": 80,
            "learner": {"make": Quadratic, **noise, "seed": "$seed"}, "tau": 2, "alpha": 0.25,
            "patience": 0.5, "max_restarts": 20,
        },
    }  # fmt: skip
    crashes = [{"at": "0.3s", "every": {"exponential": "0.3s"}, "times": 3, "actor": "worker"},
               {"at": "0.6s", "actor": "fragment"}]  # fmt: skip

    actors, simulation = simulated(tables, {"crash": crashes}, {"compute": {"*": "10ms"}})

    assert simulation.broken == {}
    assert [actors[f"worker/{k}"].t for k in range(3)] == [80] * 3
