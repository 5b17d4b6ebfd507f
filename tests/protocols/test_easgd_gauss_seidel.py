import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.test_easgd_synchronous import at, dyadic
from tether.actors import Group
from tether.protocols.easgd_gauss_seidel import Center, Worker, moved


def center(x: float, alpha: float, workers: list[Worker], steps: int = 1) -> Center:
    return Center(torch.tensor([x], dtype=torch.float64), alpha, Group(workers), steps)


async def test_a_step_worked_by_hand_pulls_the_workers_to_the_new_center() -> None:
    one, two = at(8.0), at(-4.0)
    middle = center(4.0, 0.25, [one, two])

    await middle.run()

    new = 4.0 + 0.25 * (8.0 - 4.0) + 0.25 * (-4.0 - 4.0)
    assert middle.learner.x.tolist() == [new]
    assert one.learner.x.tolist() == [8.0 - 0.5 * 8.0 - 0.25 * (8.0 - new)]
    assert two.learner.x.tolist() == [-4.0 + 0.5 * 4.0 - 0.25 * (-4.0 - new)]


@given(dyadic, st.lists(dyadic, min_size=1, max_size=4))
async def test_with_alpha_one_it_is_downpour(x: float, xs: list[float]) -> None:
    workers = [at(each) for each in xs]
    middle = center(x, 1.0, workers)

    await middle.run()

    pushed = x + sum(each - x for each in xs)
    assert middle.learner.x.item() == pushed
    assert [w.learner.x.item() for w in workers] == [pushed - 0.5 * each for each in xs]


async def test_the_sum_is_not_conserved() -> None:
    worker = at(8.0, eta=0.0)
    middle = center(0.0, 0.5, [worker])

    await middle.run()

    assert middle.learner.x.item() + worker.learner.x.item() == 4.0 + 6.0


async def test_whoever_is_new_moves_the_center_nowhere() -> None:
    worker = at(100.0, eta=0.0)
    worker.begun = False
    middle = center(4.0, 0.5, [worker])

    await middle.run()

    assert middle.learner.x.item() == worker.learner.x.item() == 4.0


def test_a_worker_that_is_not_finite_leaves_the_center_untouched() -> None:
    x = torch.zeros(1)

    with pytest.raises(ValueError, match=r"the elastic difference .* 1 of 1 numbers NaN"):
        moved(x, 0.5, [torch.ones(1), torch.full((1,), torch.nan)])

    assert x.tolist() == [0.0]
