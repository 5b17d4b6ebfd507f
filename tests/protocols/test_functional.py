import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from tether.protocols.functional import Objective
from tether.protocols.vector import Parameters


def objective(model: nn.Module) -> tuple[Objective, Tensor]:
    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return mse_loss(model(batch[0]), batch[1])

    parameters = Parameters(model)
    parameters.settle(torch.empty(parameters.count, dtype=parameters.dtype))
    return Objective(model, loss, parameters), parameters.x


def batch(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return torch.randn(6, 3, generator=draws, dtype=dtype), torch.ones(6, 2, dtype=dtype)


def network() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def test_the_value_at_the_models_own_parameters_is_the_models_loss() -> None:
    f, x = objective(network())

    assert torch.equal(f.value(x.clone(), batch()), f(batch()))


def test_the_value_elsewhere_leaves_the_model_alone() -> None:
    f, x = objective(network())
    before = x.clone()

    f.value(torch.zeros_like(x), batch())

    assert torch.equal(x, before)


def test_tied_weights_are_replaced_in_both_places() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)).double()
    model[1].weight = model[0].weight
    f, x = objective(model)

    doubled = f.value(2 * x, (torch.eye(3).double(), torch.zeros(3, 3).double()))

    assert torch.isclose(doubled, 16 * f((torch.eye(3).double(), torch.zeros(3, 3).double())))


@given(st.integers(0, 2**31))
def test_a_hessian_product_is_the_change_of_the_gradient(seed: int) -> None:
    f, x = objective(network())
    v = torch.randn(len(x), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    gradient, h = torch.func.grad(f.value), 1e-5

    change = (gradient(x + h * v, batch()) - gradient(x - h * v, batch())) / (2 * h)

    assert torch.allclose(f.hessian_product(x, v, batch()), change, rtol=1e-5, atol=1e-7)


def test_a_loss_linear_in_x_has_no_curvature() -> None:
    model = nn.Linear(2, 1, bias=False)
    parameters = Parameters(model)
    parameters.settle(torch.empty(2))
    f = Objective(model, lambda model, inputs: model(inputs).sum(), parameters)

    assert f.hessian_product(parameters.x, torch.ones(2), torch.ones(1, 2)).tolist() == [0, 0]
