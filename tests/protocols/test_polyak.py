import pytest
import torch
from torch import Tensor

from tether.protocols.polyak import Polyak


def one(x: float) -> Tensor:
    return torch.tensor([x], dtype=torch.float64)


def folded(a: float | None, *xs: float) -> list[float]:
    """Return z after each x."""
    average, found = Polyak(one(100.0), a), []
    for x in xs:
        average.fold(one(x))
        found.append(average.z.item())
    return found


def test_without_a_rate_z_is_the_mean_of_all_so_far() -> None:
    assert folded(None, 8.0, 4.0, 6.0, 2.0) == [8.0, 6.0, 6.0, 5.0]


def test_with_a_constant_rate_z_is_the_moving_average() -> None:
    assert folded(0.25, 0.0, 4.0) == [75.0, 57.25]


@pytest.mark.parametrize("a", [0.0, -0.1, 1.5, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(a: float) -> None:
    with pytest.raises(ValueError, match=r"a is .*, but an averaging rate above 0 and up to 1"):
        Polyak(one(0.0), a)


def test_z_has_memory_of_its_own() -> None:
    x = one(1.0)

    Polyak(x).fold(one(5.0))

    assert x.item() == 1.0


def test_it_goes_on_from_its_state() -> None:
    average, other = Polyak(one(0.0)), Polyak(one(7.0))
    average.fold(one(8.0))

    other.load_state_dict(average.state_dict())
    other.fold(one(4.0))

    assert other.z.item() == 6.0
