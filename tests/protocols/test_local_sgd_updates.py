from __future__ import annotations

import pytest
import torch

from tests.protocols.conftest import build
from tests.protocols.team import Team
from tether.protocols import local_sgd_updates


async def synchronous(K: int, eta: float, steps: int) -> torch.Tensor:
    """Return where synchronous SGD gets with the batches of K workers, in their order."""
    readers, learner = [build(seed=k) for k in range(K)], build(lr=eta)
    for _ in range(steps):
        gs = [(await reader.gradient(learner.x)).clone() for reader in readers]
        await learner.step(torch.stack(gs).sum(0) / K)
    return learner.x


@pytest.mark.parametrize("K", [1, 2, 4])
@pytest.mark.parametrize("eta", [0.5, 0.125])
async def test_r9_with_powers_of_two_h_1_is_synchronous_sgd_to_the_last_bit(
    K: int, eta: float
) -> None:
    learners = [build(lr=eta, seed=k) for k in range(K)]
    team = Team(learners, H=1, steps=10, worker=local_sgd_updates.Worker)

    await team.run()

    assert torch.equal(team.c, await synchronous(K, eta, 10))


async def test_a_round_of_several_steps_sends_their_sum() -> None:
    learners = [build(seed=k) for k in range(2)]
    updates = await Team(learners, H=3, steps=9, worker=local_sgd_updates.Worker).run()
    differences = await Team([build(seed=k) for k in range(2)], H=3, steps=9).run()

    assert torch.allclose(updates.c, differences.c, rtol=1e-5, atol=1e-6)
    assert not updates.workers[0].share.D.any()


async def test_l6_it_goes_on_from_the_middle_of_a_round() -> None:
    undisturbed = await Team(
        [build(lr=0.1)], H=4, steps=8, worker=local_sgd_updates.Worker
    ).run()  # fmt: skip
    first = Team([build(lr=0.1)], H=4, steps=8, worker=local_sgd_updates.Worker)
    worker = first.workers[0]
    await worker.learner.begin(worker._join)
    for _ in range(6):
        await worker._step()
        worker.t += 1
        if worker.t == 4:
            await worker._average()

    resumed = Team([build(seed=3)], H=4, steps=8, worker=local_sgd_updates.Worker)
    await resumed.restored(first.saved()).run()

    assert torch.equal(resumed.c, undisturbed.c)


@pytest.mark.parametrize("option", ["momentum", "weight_decay"])
def test_an_optimizer_that_does_more_is_refused(option: str) -> None:
    learner = build()
    assert learner.optimizer is not None
    learner.optimizer.param_groups[0][option] = 0.5

    with pytest.raises(ValueError, match="has momentum or weight decay, but plain SGD is wanted"):
        Team([learner], H=1, steps=1, worker=local_sgd_updates.Worker)
