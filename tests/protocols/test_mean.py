from __future__ import annotations

import pytest
import torch

from tether.actors import Group
from tether.protocols.mean import Mean


class Point:
    def __init__(self, x: float) -> None:
        self.x = torch.tensor([x])

    async def pull(self) -> torch.Tensor:
        return self.x


async def test_the_mean_is_of_all_that_are_there() -> None:
    mean = Mean(Group([Point(1.0), Point(2.0), Point(6.0)]))

    x = await mean.pull()

    assert x.tolist() == [3.0]
    assert x.dtype == torch.float32


async def test_of_nobody_there_is_no_mean() -> None:
    with pytest.raises(ValueError, match="there are no peers, but the mean of one or more"):
        await Mean(Group()).pull()
