import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tether.protocols.elastic import added, approach, check_finite, difference, elastic

dyadic = st.integers(-(2**20), 2**20).map(lambda n: n / 2**8)
vectors = st.integers(1, 5).flatmap(
    lambda n: st.tuples(*[st.lists(dyadic, min_size=n, max_size=n)] * 2)
)
rates = st.integers(0, 8).map(lambda n: n / 8)


def moved(x: list[float], center: list[float], alpha: float) -> tuple[Tensor, Tensor]:
    """Return both after one exchange."""
    a, b = torch.tensor(x, dtype=torch.float64), torch.tensor(center, dtype=torch.float64)
    d = elastic(a, b, alpha, out=torch.empty_like(a))
    return a - d, b


def test_an_exchange_worked_by_hand() -> None:
    x, center, d = torch.tensor([4.0, 8.0]), torch.tensor([0.0, 4.0]), torch.empty(2)

    elastic(x, center, 0.25, out=d)

    assert d.tolist() == [1.0, 1.0]
    assert center.tolist() == [1.0, 5.0]
    assert x.tolist() == [4.0, 8.0]


@given(vectors, rates)
def test_it_is_the_papers_equations_in_exact_arithmetic(
    both: tuple[list[float], list[float]], alpha: float
) -> None:
    x, center = moved(*both, alpha)

    for i, (a, b) in enumerate(zip(*both, strict=True)):
        d = Fraction(alpha) * (Fraction(a) - Fraction(b))
        assert Fraction(x[i].item()) == Fraction(a) - d
        assert Fraction(center[i].item()) == Fraction(b) + d


@given(vectors, rates)
def test_p1_the_sum_of_worker_and_center_is_conserved(
    both: tuple[list[float], list[float]], alpha: float
) -> None:
    x, center = moved(*both, alpha)

    assert (x + center).tolist() == [a + b for a, b in zip(*both, strict=True)]


@given(vectors, rates)
def test_p2_the_distance_is_multiplied_by_one_minus_two_alpha(
    both: tuple[list[float], list[float]], alpha: float
) -> None:
    x, center = moved(*both, alpha)

    assert (x - center).tolist() == [(1 - 2 * alpha) * (a - b) for a, b in zip(*both, strict=True)]


@given(vectors, rates)
def test_p3_the_center_stays_between_itself_and_the_worker(
    both: tuple[list[float], list[float]], alpha: float
) -> None:
    _, center = moved(*both, alpha)

    for new, a, b in zip(center.tolist(), *both, strict=True):
        assert min(a, b) <= new <= max(a, b)


@given(st.lists(dyadic, min_size=1, max_size=5), rates)
def test_p5_worker_and_center_at_one_point_stay_there(x: list[float], alpha: float) -> None:
    after = moved(x, x, alpha)

    assert [each.tolist() for each in after] == [x, x]


@given(vectors, rates)
def test_p8_a_center_in_shards_is_the_whole_one_bit_for_bit(
    both: tuple[list[float], list[float]], alpha: float
) -> None:
    whole = moved(*both, alpha)
    shards = [moved([a], [b], alpha) for a, b in zip(*both, strict=True)]

    for part in (0, 1):
        assert torch.equal(whole[part], torch.cat([shard[part] for shard in shards]))


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=5))
def test_r2_alpha_zero_moves_nothing(x: list[float]) -> None:
    center = [0.5] * len(x)

    assert [each.tolist() for each in moved(x, center, 0.0)] == [x, center]


def test_r3_alpha_one_half_makes_them_meet() -> None:
    x, center = moved([1.0, -3.0], [0.0, 5.0], 0.5)

    assert x.tolist() == center.tolist() == [0.5, 1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_thousand_exchanges_drift_by_rounding_only(dtype: torch.dtype) -> None:
    draws = torch.Generator().manual_seed(0)
    workers = [torch.randn(50, generator=draws, dtype=dtype) for _ in range(4)]
    center, d = torch.zeros(50, dtype=dtype), torch.empty(50, dtype=dtype)
    total = sum(workers) + center

    for t in range(1000):
        x = workers[t % 4]
        x -= elastic(x, center, 0.225, out=d)

    drift = (sum(workers) + center - total).abs().max()
    assert drift <= 16 * torch.finfo(dtype).eps


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_worker_that_is_not_finite_is_refused_and_the_center_is_untouched(wrong: float) -> None:
    x, center = torch.tensor([1.0, wrong, 2.0]), torch.tensor([0.0, 0.0, 0.0])

    with pytest.raises(
        ValueError, match=r"elastic difference .* has 1 of 3 numbers NaN or infinite"
    ):
        elastic(x, center, 0.5, out=torch.empty(3))

    assert center.tolist() == [0.0, 0.0, 0.0]


def test_a_difference_that_is_not_finite_is_refused_and_the_center_is_untouched() -> None:
    center = torch.zeros(2)

    with pytest.raises(ValueError, match="the difference has 2 of 2 numbers NaN or infinite"):
        added(center, torch.tensor([float("nan"), float("inf")]))

    assert center.tolist() == [0.0, 0.0]


@given(st.lists(st.floats(width=32), min_size=1, max_size=9))
def test_what_is_refused_is_what_has_a_number_that_is_not_finite(numbers: list[float]) -> None:
    vector = torch.tensor(numbers)
    wrong = sum(not math.isfinite(number) for number in numbers)

    if wrong:
        with pytest.raises(ValueError, match=f"x has {wrong} of {len(numbers)} numbers NaN"):
            check_finite("x", vector)
    else:
        assert check_finite("x", vector) is vector


@pytest.mark.parametrize("large", [[3e38, 3e38, 1.0], [3e38, 3e38, -3e38, -3e38]])
def test_what_is_finite_but_has_a_sum_that_is_not_is_taken(large: list[float]) -> None:
    vector = torch.tensor(large).repeat(100)

    assert check_finite("x", vector) is vector


def test_a_worker_of_another_size_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"x does not fit: it is .* of shape \(3,\) on cpu, but .*\(2,\)"
    ):
        difference(torch.zeros(3), torch.zeros(2), 0.5, out=torch.empty(2))


def test_a_worker_of_another_dtype_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"x does not fit: it is torch.float64 .*, but torch.float32"
    ):
        difference(torch.zeros(2).double(), torch.zeros(2), 0.5, out=torch.empty(2))


@given(vectors, rates)
def test_an_approach_moves_one_side_only(
    both: tuple[list[float], list[float]], alpha: float
) -> None:
    x, y = (torch.tensor(each, dtype=torch.float64) for each in both)

    approach(x, y, alpha)

    assert x.tolist() == [a + alpha * (b - a) for a, b in zip(*both, strict=True)]
    assert y.tolist() == both[1]


def test_of_several_differences_one_that_is_not_finite_refuses_all() -> None:
    center = torch.zeros(1)

    with pytest.raises(ValueError, match="the difference has 1 of 1 numbers NaN or infinite"):
        added(center, torch.ones(1), torch.tensor([float("nan")]))
    added(center, torch.ones(1), torch.ones(1))

    assert center.tolist() == [2.0]
