from __future__ import annotations

import torch

from tests.protocols.conftest import build
from tether.actors.state import dump, load
from tether.protocols import easgd
from tether.protocols.easgd_outer import Center
from tether.protocols.outer import Outer, block_momentum, nesterov


async def test_the_center_steps_by_its_velocity_and_the_worker_gets_the_plain_difference() -> None:
    center = Center(torch.zeros(1), alpha=0.5, outer=block_momentum(1.0, 0.5))

    found = [(await center.exchange(torch.tensor([8.0]))).item() for _ in range(2)]

    assert found == [4.0, 2.0]
    assert center.x.tolist() == [8.0]  # 4, and then 0.5 · 4 + 2


async def test_l8_without_outer_momentum_it_is_easgd_bit_for_bit() -> None:
    found = []
    for made in (easgd.Center(build().x, 0.3), Center(build().x, 0.3, Outer())):
        worker = easgd.Worker(made, build(), tau=2, steps=9)
        await worker.run()
        found += [made.x, worker.learner.x]

    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])


async def test_its_state_is_x_and_the_velocity() -> None:
    center, other = (Center(torch.zeros(2), 0.5, nesterov()) for _ in range(2))
    await center.exchange(torch.ones(2))

    other.load_state_dict(load(dump(center.state_dict())))
    for each in (center, other):
        await each.exchange(torch.ones(2))

    assert torch.equal(center.x, other.x)
