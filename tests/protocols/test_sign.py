from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.conftest import build
from tether.protocols.sign import SignSGD, packed, scaled_sign, scales, sizes, unpacked

INTEGERS = st.integers(-64, 64).map(float)


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_each_tensor_has_a_scale_and_zero_counts_as_plus_one() -> None:
    e = vector(3.0, -1.0, 0.0, 0.0, -8.0)

    q, s = scaled_sign(e, [4, 1])

    assert s.tolist() == [1.0, 8.0]
    assert unpacked(q, s, [4, 1]).tolist() == [1.0, -1.0, 1.0, 1.0, -8.0]
    assert e.tolist() == [2.0, 0.0, -1.0, -1.0, 0.0]


@given(st.lists(INTEGERS, min_size=1, max_size=40))
def test_bits_are_one_a_number_and_come_back_as_signs(numbers: list[float]) -> None:
    v = vector(*numbers)

    bits = packed(v)

    assert bits.dtype == torch.uint8
    assert len(bits) == -(-len(v) // 8)
    signs = unpacked(bits, vector(1.0), [len(v)])
    assert signs.tolist() == [1.0 if number >= 0 else -1.0 for number in numbers]


@given(st.lists(INTEGERS, min_size=8, max_size=8))
def test_what_is_said_and_what_is_left_add_up_exactly(numbers: list[float]) -> None:
    v = vector(*numbers)
    e = v.clone()

    q, s = scaled_sign(e, [4, 4])

    assert torch.equal(unpacked(q, s, [4, 4]) + e, v)


def test_scales_are_mean_magnitudes() -> None:
    assert scales(vector(1.0, -3.0, 5.0), [2, 1]).tolist() == [2.0, 5.0]


def test_the_sizes_are_those_of_the_parameters() -> None:
    assert sizes(build()) == [12, 4, 8, 2]


@pytest.mark.parametrize(("count", "scale"), [(2, 1), (1, 2)])
def test_signs_that_do_not_fit_are_refused(count: int, scale: int) -> None:
    bits, s = torch.zeros(count, dtype=torch.uint8), torch.ones(scale)

    with pytest.raises(ValueError, match="but those of 5 numbers in 1 tensors are wanted"):
        unpacked(bits, s, [5])


@pytest.mark.parametrize(
    ("options", "seen"),
    [({}, [0.5, 0.0]), ({"momentum": 0.5}, [0.5, 0.0]), ({"weight_decay": 4.0}, [0.5, 0.0]),
     ({"momentum": 0.5, "nesterov": True}, [0.5, 0.0])],
)  # fmt: skip
def test_sign_sgd_moves_by_eta_whatever_the_gradients_size(
    options: dict[str, float], seen: list[float]
) -> None:
    w = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = SignSGD([w], lr=0.5, **options)  # type: ignore[arg-type]

    found = []
    for g in (3.0, 0.25):
        w.grad = torch.tensor([g])
        optimizer.step()
        found.append(w.item())

    assert found == seen


def test_sign_sgd_steps_along_its_momentum() -> None:
    w = torch.nn.Parameter(torch.tensor([0.0]))
    optimizer = SignSGD([w], lr=1.0, momentum=0.5)

    for g in (4.0, -1.0):  # m: 4, and then 2 − 1
        w.grad = torch.tensor([g])
        optimizer.step()

    assert w.item() == -2.0
    assert w.grad is not None
    assert w.grad.item() == -1.0


def test_sign_sgd_refuses_what_it_has_no_use_for() -> None:
    w = torch.nn.Parameter(torch.zeros(1))

    with pytest.raises(ValueError, match="lr is 0, but a learning rate above 0 is wanted"):
        SignSGD([w], lr=0)
    with pytest.raises(ValueError, match="a closure came, but none is wanted"):
        SignSGD([w], lr=1.0).step(lambda: 0.0)
