import pytest
import torch
from torch import Tensor

from tests.protocols.test_downpour import at, half
from tether.actors.state import dump, load
from tether.protocols.adownpour import Center
from tether.protocols.downpour import Worker


async def test_adownpour_gives_the_mean_of_what_the_center_was() -> None:
    center = Center(at(8.0))

    found = []
    for v in (4.0, -6.0, 3.0):  # x̃ is 8, 12, 6, and then 9
        await center.push(at(v))
        found.append((await center.pull()).item())

    assert found == [8.0, 10.0, pytest.approx(26 / 3)]
    assert center.x.tolist() == [9.0]


async def test_mvadownpour_gives_the_moving_average() -> None:
    center = Center(at(8.0), a=0.25)

    found = []
    for v in (4.0, -6.0, 3.0):
        await center.push(at(v))
        found.append((await center.pull()).item())

    assert found == [8.0, 9.0, 8.25]


async def test_workers_take_the_center_itself_and_not_its_average() -> None:
    center = Center(at(8.0))
    worker = Worker(center, half(8.0), tau=1, steps=4)

    await worker.run()

    assert worker.learner.x.tolist() == [0.5]
    assert center.x.tolist() == [1.0]
    assert (await center.pull()).tolist() == [(8.0 + 8.0 + 4.0 + 2.0) / 4]


@pytest.mark.parametrize(
    ("v", "told"),
    [
        (at(float("nan")), "v has 1 of 1 numbers NaN or infinite"),
        (torch.zeros(2, dtype=torch.float64), "v does not fit"),
    ],
)
async def test_what_cannot_be_added_leaves_the_average_alone(v: Tensor, told: str) -> None:
    center = Center(at(8.0), a=0.5)
    center.average.z.fill_(1.0)

    with pytest.raises(ValueError, match=told):
        await center.push(v)

    assert (await center.pull()).tolist() == [1.0]
    assert center.x.tolist() == [8.0]


async def test_it_goes_on_from_its_checkpoint() -> None:
    center, other = Center(at(8.0)), Center(at(0.0))
    await center.push(at(-4.0))

    other.load_state_dict(load(dump(center.state_dict())))
    await other.push(at(1.0))

    assert (await other.pull()).tolist() == [6.0]
    assert (other.x.tolist(), other.t) == ([5.0], 2)
