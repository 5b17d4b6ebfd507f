import pytest
import torch
from torch import Tensor

from tether.actors.restoring import alone
from tether.protocols.resting import Resting


async def test_x_is_moved_by_apply_and_by_nothing_else() -> None:
    start = torch.tensor([1.0, 2.0])
    resting = Resting(start)

    await resting.apply(Tensor.add_, torch.ones(2))

    assert resting.x.tolist() == [2.0, 3.0]
    assert start.tolist() == [1.0, 2.0]


async def test_there_is_no_gradient() -> None:
    resting = Resting(torch.zeros(1))

    with pytest.raises(ValueError, match="Resting has no loss, but a gradient is wanted"):
        await resting.gradient(batch=())


def test_also_one_that_comes_back_alone_takes_the_x_that_was_kept() -> None:
    first, second = Resting(torch.ones(2)), Resting(torch.zeros(2))

    with alone():
        second.load_state_dict(first.state_dict())

    assert second.x.tolist() == [1.0, 1.0]
    assert not second.resumed
