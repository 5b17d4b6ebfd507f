import asyncio
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tether.protocols import easgd
from tether.protocols.easgd_paper import ByParts, Center, Worker
from tether.protocols.learner import Supervised

Regression = Callable[..., Supervised]


async def test_an_exchange_by_parts_is_the_atomic_one_when_nobody_comes_between() -> None:
    x, start = torch.tensor([4.0, 8.0]), torch.tensor([1.0, 1.0])
    one, other = easgd.Center(start, alpha=0.3), Center(start, alpha=0.3)

    d = await one.exchange(x)
    by_parts = await ByParts(other).exchange(x)

    assert torch.equal(d, by_parts)
    assert torch.equal(one.x, other.x)


class Busy(Center):
    """Is moved by others, one unit each, between a pull and the difference taken from it."""

    others = 1

    async def add(self, d: Tensor) -> int:
        for _ in range(self.others):
            await super().add(torch.ones(1))
        return await super().add(d)


async def test_p7_who_is_gone_between_its_read_and_its_difference_leaves_the_center_alone() -> None:
    on_its_way = asyncio.Event()

    class Far(Center):
        async def add(self, d: Tensor) -> int:
            on_its_way.set()
            await asyncio.Event().wait()
            return await super().add(d)

    center, x = Far(torch.tensor([4.0]), 0.25), torch.tensor([8.0])
    exchange = asyncio.create_task(ByParts(center).exchange(x))
    await on_its_way.wait()

    exchange.cancel()
    await asyncio.wait([exchange])

    assert exchange.cancelled()
    assert center.x.tolist() == [4.0]
    assert center.moves == 0
    assert x.tolist() == [8.0]


async def test_a_stale_difference_conserves_the_sum_still() -> None:
    center, x = Busy(torch.zeros(1), alpha=0.5), torch.tensor([4.0])

    d = await ByParts(center).exchange(x)

    assert d.tolist() == [2.0]
    assert center.x.tolist() == [1.0 + 2.0]


async def test_behind_is_how_many_others_came_between(regression: Regression) -> None:
    center = Busy(torch.zeros(1), alpha=0.5)
    parts = ByParts(center)
    found = []

    for center.others in (0, 3, 1):
        await parts.exchange(torch.ones(1))
        found.append(parts.behind)

    assert found == [0, 3, 1]
    worker = Worker(center, regression(), tau=1, steps=1)
    worker.parts.behind = 2
    worker.t = 1
    assert worker._told() == {"exchanges": 1, "waited": 0.0, "behind": 2}


async def test_after_a_rollback_of_the_center_behind_is_not_negative() -> None:
    class Reborn(Center):
        async def add(self, d: Tensor) -> int:
            self.moves = 0
            return await super().add(d)

    center = Reborn(torch.zeros(1), alpha=0.5)
    center.moves = 7
    parts = ByParts(center)

    await parts.exchange(torch.ones(1))

    assert parts.behind == 0


async def test_a_difference_that_is_not_finite_leaves_the_center_untouched() -> None:
    center = Center(torch.zeros(2), alpha=0.5)

    with pytest.raises(ValueError, match="the difference has 1 of 2 numbers NaN or infinite"):
        await center.add(torch.tensor([1.0, float("nan")]))

    assert center.x.tolist() == [0.0, 0.0]
