import pytest
import torch
from torch import nn

from tether.protocols.vector import Parameters, check_like, learnable


def settled(model: nn.Module) -> Parameters:
    parameters = Parameters(model)
    parameters.settle(torch.empty(parameters.count, dtype=parameters.dtype))
    return parameters


def test_the_module_keeps_its_values_and_lies_in_the_vector() -> None:
    model = nn.Linear(2, 3)
    before = [p.detach().clone() for p in model.parameters()]

    parameters = settled(model)

    assert torch.equal(parameters.x, torch.cat([p.flatten() for p in before]))
    parameters.x.fill_(5)
    assert model.weight.eq(5).all()
    assert model.bias.eq(5).all()


def test_an_optimizer_made_before_still_moves_the_vector() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    parameters = settled(model)
    before = parameters.x.clone()
    parameters.gradient().fill_(0.5)

    optimizer.step()

    assert torch.equal(parameters.x, before - 0.5)


def test_tied_weights_come_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight

    assert settled(model).count == 9 + 3 + 3


def test_frozen_parameters_are_no_part_of_the_vector() -> None:
    model = nn.Linear(3, 3)
    model.weight.requires_grad_(False)

    assert settled(model).count == 3


def test_elsewhere_the_model_has_other_values_and_afterwards_its_own_again() -> None:
    model = nn.Linear(1, 1)
    parameters = settled(model)
    before = parameters.x.clone()

    with parameters.at(torch.tensor([2.0, 3.0])):
        there = float(model(torch.ones(1)).detach())

    assert there == 5.0
    assert torch.equal(parameters.x, before)
    assert model.weight.data_ptr() == parameters.x.data_ptr()


def test_gradients_are_views_of_one_vector_made_once() -> None:
    model = nn.Linear(2, 2)
    parameters = settled(model)
    first = parameters.gradient()

    model(torch.ones(2)).sum().backward()

    assert parameters.gradient() is first
    assert first.tolist() == [1, 1, 1, 1, 1, 1]


def test_writing_x_while_it_must_not_change_raises() -> None:
    parameters = settled(nn.Linear(2, 2))

    written = pytest.raises(RuntimeError, match="written while a gradient at it ran")
    with written, parameters.unwritten():
        parameters.x.add_(1)


def test_a_step_of_an_optimizer_meanwhile_raises_too() -> None:
    model = nn.Linear(2, 2)
    parameters = settled(model)
    parameters.gradient().fill_(1)

    written = pytest.raises(RuntimeError, match="written while a gradient at it ran")
    with written, parameters.unwritten():
        torch.optim.SGD(model.parameters(), lr=1.0).step()


def test_being_elsewhere_counts_as_unwritten() -> None:
    parameters = settled(nn.Linear(1, 1))

    with parameters.unwritten(), parameters.at(torch.zeros(2)):
        pass

    assert parameters.x.shape == (2,)


def test_a_model_without_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="ReLU has no parameter that requires a gradient"):
        learnable(nn.ReLU())


def test_parameters_of_two_dtypes_are_refused() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1).double())

    with pytest.raises(
        ValueError,
        match=r"torch.float32 on cpu and torch.float64 on cpu, where all are to be alike",
    ):
        learnable(model)


def test_a_vector_of_another_shape_is_refused_with_both_named() -> None:
    with pytest.raises(
        ValueError,
        match=r"at does not fit: it is torch.float32 of shape \(3,\) on cpu, but .*\(2,\)",
    ):
        check_like("at", torch.zeros(3), torch.zeros(2))
