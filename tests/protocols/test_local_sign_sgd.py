from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.conftest import build
from tests.protocols.team import Team, squares
from tether.actors import Group
from tether.protocols import local_sign_sgd
from tether.protocols.learner import Learner
from tether.protocols.sign import SignSGD


def signed(learners: list[Learner], H: int, steps: int, *, feedback: bool = True) -> Team:
    return Team(
        learners, H, steps, aggregator=local_sign_sgd.Aggregator, worker=local_sign_sgd.Worker,
        feedback=feedback,
    )  # fmt: skip


def dyadic(k: int) -> Learner:
    rows = [[float((7 * k + 3 * t + i) % 9 - 4) for i in range(4)] for t in range(5)]
    return squares(rows, [1.0, -2.0, 3.0, 0.0])


async def test_one_round_of_two_workers_in_numbers() -> None:
    team = signed([squares([[4.0, 0.0]], [0.0, 0.0], 1.0), squares([[-8.0, 8.0]], [0.0, 0.0], 1.0)],
                  H=1, steps=1)  # fmt: skip

    await team.run()

    assert team.c.tolist() == [-3.0, 3.0]  # −(−2 + 8)/2, −(2 − 8)/2; s·q = (−2, 2), (8, −8)
    assert [each.share.e.tolist() for each in team.workers] == [[-2.0, -2.0], [0.0, 0.0]]


@settings(max_examples=10)
@given(H=st.integers(1, 3), rounds=st.integers(1, 4), K=st.sampled_from([1, 2, 4]))
async def test_l7_what_was_applied_and_what_is_left_are_all_that_was_done_exactly(
    H: int, rounds: int, K: int
) -> None:
    team = signed([dyadic(k) for k in range(K)], H, 0)
    for r in range(rounds):
        before = team.c - mean([each.share.e for each in team.workers])
        done: list[torch.Tensor] = [torch.zeros(4, dtype=torch.float64) for _ in range(K)]
        for k, worker in enumerate(team.workers):
            worker.learner.step = adding(worker.learner, done[k])

        await team.run((r + 1) * H)

        after = team.c - mean([each.share.e for each in team.workers])
        assert torch.equal(after, before + mean(done))
        for worker in team.workers:
            del worker.learner.step


def mean(vectors: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(vectors).sum(0) / len(vectors)


def adding(learner: Learner, done: torch.Tensor) -> object:
    step = learner.step

    async def added(gradient: torch.Tensor) -> None:
        before = learner.x.clone()
        await step(gradient)
        done.add_(learner.x - before)

    return added


async def test_l7_what_is_said_too_late_is_said_again() -> None:
    team = signed([dyadic(0), dyadic(1)], H=2, steps=4)
    late = team.workers[1]
    await late.learner.begin(late.share.join)
    team.aggregator.workers = Group(team.workers[:1])
    await team.workers[0].run()
    c = team.c.clone()

    done = torch.tensor([1.0, -3.0, 2.0, 0.0], dtype=torch.float64)
    late.learner.x.add_(done)
    late.t = 2
    await late._average()
    put_back = late.share.e.clone()
    team.aggregator.workers = Group([late])
    for t in (6, 8):  # in the rounds that follow
        late.t = t
        await late._average()

    assert team.aggregator.hands.late == 1
    assert torch.equal(put_back, -done)
    assert torch.equal(team.c - c - late.share.e, done)


async def test_what_is_told_twice_and_counts_is_not_put_back() -> None:
    team = signed([dyadic(0), dyadic(1)], H=2, steps=2)
    await team.run()
    worker = team.workers[0]
    e = worker.share.e.clone()

    told = worker.share.told(worker.learner, 2)._replace(base=0)
    await worker.share.hand(told)
    worker.share.take()

    assert worker.share.counts
    assert torch.equal(worker.share.e, e)


async def test_without_feedback_the_error_is_forgotten() -> None:
    found = []
    for feedback in (True, False):
        team = signed([dyadic(k) for k in range(2)], H=2, steps=6, feedback=feedback)
        found.append((await team.run()).c)

    assert not torch.equal(*found)


async def test_local_sign_sgd_steps_along_signs_too() -> None:
    learner = squares([[4.0]], [0.0])
    learner.optimizer = SignSGD(learner.model.parameters(), lr=0.5)
    team = signed([learner], H=2, steps=2, feedback=False)

    await team.run()

    assert team.c.tolist() == [1.0]


@pytest.mark.parametrize("before", [2, 3])
async def test_l6_the_error_is_kept(before: int) -> None:
    undisturbed = await signed([build(seed=k) for k in range(2)], H=1, steps=6).run()
    first = await signed([build(seed=k) for k in range(2)], H=1, steps=before).run()

    resumed = signed([build(seed=9) for _ in range(2)], H=1, steps=6).restored(first.saved())
    await resumed.run()

    assert resumed.saved() == undisturbed.saved()
