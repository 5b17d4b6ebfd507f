import pytest
import torch

from tether.protocols import easgd
from tether.protocols.easgd_paper import ByParts, Center


async def test_an_exchange_by_parts_is_the_atomic_one_when_nobody_comes_between() -> None:
    x, start = torch.tensor([4.0, 8.0]), torch.tensor([1.0, 1.0])
    one, other = easgd.Center(start, alpha=0.3), Center(start, alpha=0.3)

    d = await one.exchange(x)
    by_parts = await ByParts(other).exchange(x)

    assert torch.equal(d, by_parts)
    assert torch.equal(one.x, other.x)


async def test_a_stale_difference_conserves_the_sum_still() -> None:
    class Busy(Center):
        """Is moved by another worker between a pull and the difference taken from it."""

        async def rate(self) -> float:
            self.x = self.x + 1.0
            return await super().rate()

    center, x = Busy(torch.zeros(1), alpha=0.5), torch.tensor([4.0])

    d = await ByParts(center).exchange(x)

    assert d.tolist() == [2.0]
    assert center.x.tolist() == [1.0 + 2.0]


async def test_a_difference_that_is_not_finite_leaves_the_center_untouched() -> None:
    center = Center(torch.zeros(2), alpha=0.5)

    with pytest.raises(ValueError, match="the difference has 1 of 2 numbers NaN or infinite"):
        await center.add(torch.tensor([1.0, float("nan")]))

    assert center.x.tolist() == [0.0, 0.0]
