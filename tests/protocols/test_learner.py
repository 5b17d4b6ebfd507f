import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from tests.actors.test_compute import Names
from tether.actors import debug
from tether.actors.cell import Cell, Desk
from tether.actors.clock import SystemClock
from tether.actors.context import Acting, acting
from tether.actors.memory import Pool
from tether.actors.restoring import alone
from tether.protocols.learner import Learner, Supervised

Regression = Callable[..., Supervised]


class Process:
    """What an actor asks of its process: memory, and a clock that gives it its thread."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.clock = SystemClock()


class Quadratic(nn.Module):
    """f(x) = h·x²/2 summed, whose gradient is h·x."""

    def __init__(self, *start: float) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(start))


def total(model: Any, _batch: Any) -> Tensor:
    summed: Tensor = model.x.sum()
    return summed


def quadratic(*start: float, lr: float = 0.5) -> Learner:
    model = Quadratic(*start)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)

    def f(model: Any, h: Tensor) -> Tensor:
        half: Tensor = (h * model.x**2).sum() / 2
        return half

    return Learner(model, f, [torch.tensor([2.0, 4.0])], optimizer)


async def test_the_gradient_and_a_step_along_it_worked_by_hand() -> None:
    learner = quadratic(1.0, -1.0)

    g = await learner.gradient()
    await learner.step(g)

    assert g.tolist() == [2.0, -4.0]
    assert learner.x.tolist() == [0.0, 1.0]
    assert float(learner.loss) == 3.0


async def test_the_gradient_elsewhere_leaves_x_alone() -> None:
    learner = quadratic(1.0, -1.0)

    g = await learner.gradient(at=torch.tensor([3.0, 3.0]))

    assert g.tolist() == [6.0, 12.0]
    assert learner.x.tolist() == [1.0, -1.0]


async def test_the_gradient_elsewhere_at_equal_values_has_equal_bits(
    regression: Regression,
) -> None:
    one, other = regression(), regression()

    for _ in range(7):
        here = await one.gradient()
        there = await other.gradient(at=one.x.clone())
        assert torch.equal(here, there)
        await one.step(here)


async def test_the_gradient_of_a_given_batch_leaves_the_data_cursor_alone(
    regression: Regression,
) -> None:
    learner, other = regression(), regression()

    await learner.gradient(batch=(torch.ones(1, 3), torch.ones(1, 2)))

    assert torch.equal(await learner.gradient(), await other.gradient())


async def test_a_step_without_a_gradient_takes_the_next_batchs(regression: Regression) -> None:
    one, other = regression(), regression()

    await one.step()
    await other.step(await other.gradient())

    assert torch.equal(one.x, other.x)


async def test_steps_are_those_of_torchs_own_loop(regression: Regression) -> None:
    learner, twin = regression(momentum=0.9), regression()
    model, batches = deepcopy(twin.model), twin.loader
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    for _ in range(2):
        for inputs, targets in batches:
            optimizer.zero_grad()
            torch.autograd.backward(mse_loss(model(inputs), targets))
            optimizer.step()
            await learner.step()

    assert torch.equal(learner.x, nn.utils.parameters_to_vector(model.parameters()))


async def test_a_foreign_gradient_is_stepped_along_like_ones_own() -> None:
    learner = quadratic(1.0, -1.0)

    await learner.step(torch.tensor([2.0, 2.0]))

    assert learner.x.tolist() == [0.0, -2.0]


async def test_parameter_groups_hold_so_that_biases_need_not_decay() -> None:
    model = nn.Linear(1, 1)
    groups: list[dict[str, Any]] = [
        {"params": [model.weight], "weight_decay": 0.5},
        {"params": [model.bias]},
    ]
    learner = Supervised(model, mse_loss, [], torch.optim.SGD(groups, lr=1.0))
    await learner.apply(Tensor.fill_, 1.0)

    await learner.step(torch.zeros(2))

    assert learner.x.tolist() == [0.5, 1.0]


async def test_a_schedule_sets_the_learning_rate_step_by_step() -> None:
    model = Quadratic(1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    halved = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    learner = Learner(model, total, [0], optimizer, halved)

    etas = []
    for _ in range(3):
        etas.append(learner.eta)
        await learner.step()

    assert etas == [1.0, 0.5, 0.25]
    assert learner.x.tolist() == [1.0 - 1.75]


async def test_apply_writes_x_and_returns_what_the_kernel_returns() -> None:
    learner = quadratic(1.0, -1.0)

    total = await learner.apply(lambda x, y: x.sub_(y).sum(), torch.tensor([1.0, 1.0]))

    assert float(total) == -2.0
    assert learner.model.get_parameter("x").tolist() == [0.0, -2.0]


async def test_all_work_has_the_name_of_the_method_that_it_is_done_for() -> None:
    executor = Names()
    model, batch = nn.Linear(3, 3), (torch.eye(3), torch.tensor([0, 1, 0]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    learner = Supervised(model, nn.functional.cross_entropy, [batch], optimizer)
    start = learner.x.clone()

    async def pull() -> Tensor:
        return start

    await learner.begin(pull)
    await learner.step(await learner.gradient())
    await learner.gradients(start[None], (batch[0][None], batch[1][None]))
    await learner.hessian_product(start, batch)
    await learner.predict(batch[0])
    await learner.compute(torch.sub, start, 1)
    await learner.measure()

    assert executor.names == [
        "apply", "gradient", "step", "gradients", "hessian_product", "predict", "compute",
        "measure",
    ]  # fmt: skip


async def test_x_moves_to_fresh_memory_while_its_own_is_still_lent() -> None:
    pool = Pool()
    acting.set(Acting(Cell("worker/0", cast("Desk", Process(pool)))))
    learner = quadratic(1.0, -1.0)
    snapshot = learner.x
    pool.lend(snapshot.data_ptr())

    await learner.step()

    assert snapshot.tolist() == [1.0, -1.0]
    assert learner.x.tolist() == [0.0, 1.0]
    assert learner.model.get_parameter("x").data_ptr() == learner.x.data_ptr()


async def test_writing_x_while_the_gradient_runs_is_named_in_debug_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(debug, "ON", True)
    learner: Learner

    def f(model: nn.Module, _batch: Any) -> Tensor:
        learner.x.add_(1)
        return model.get_parameter("x").sum()

    learner = Learner(Quadratic(1.0), f, [0])

    with pytest.raises(RuntimeError, match=r"learner\.x was written while a gradient"):
        await learner.gradient()


async def test_a_gradient_in_debug_mode_passes_when_nobody_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(debug, "ON", True)

    g = await quadratic(1.0, 1.0).gradient(at=torch.ones(2))

    assert g.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("before", [0, 3, 5, 8])
async def test_it_resumes_bit_for_bit_at_any_step(regression: Regression, before: int) -> None:
    learner = regression(momentum=0.9, dropout=0.5, extra=nn.BatchNorm1d(4))
    for _ in range(before):
        await learner.step()
    state = deepcopy(learner.state_dict())
    other = regression(momentum=0.9, dropout=0.5, extra=nn.BatchNorm1d(4), seed=3)

    other.load_state_dict(state)

    for _ in range(9):
        await learner.step()
        await other.step()
        assert torch.equal(learner.x, other.x)
    assert torch.equal(learner.buffers()["1.running_var"], other.buffers()["1.running_var"])


async def test_it_resumes_with_a_schedule() -> None:
    def build() -> Learner:
        model = Quadratic(1.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        halved = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        return Learner(model, total, [0], optimizer, halved)

    learner, other = build(), build()
    await learner.step()

    other.load_state_dict(deepcopy(learner.state_dict()))
    await other.step()

    assert other.eta == 0.25
    assert other.x.tolist() == [1.0 - 1.5]


async def test_a_loaded_state_is_a_copy_of_the_others(regression: Regression) -> None:
    learner, other = regression(momentum=0.9), regression(momentum=0.9)
    await learner.step()
    other.load_state_dict(learner.state_dict())
    before = other.x.clone()

    await learner.step()

    assert torch.equal(other.x, before)
    state, twin = learner.state_dict()["optimizer"], other.state_dict()["optimizer"]
    assert not torch.equal(
        state["state"][0]["momentum_buffer"], twin["state"][0]["momentum_buffer"]
    )


async def test_a_state_without_x_leaves_x_where_it_is(regression: Regression) -> None:
    learner, other = regression(), regression()
    await learner.step()
    state = learner.state_dict()
    del state["x"]
    before = other.x.clone()

    other.load_state_dict(state)

    assert torch.equal(other.x, before)


def test_a_state_of_another_model_is_refused(regression: Regression) -> None:
    state = regression().state_dict()

    with pytest.raises(
        ValueError, match=r"x: a checkpoint of shape \(26,\), float32 came, but shape \(2,\)"
    ):
        quadratic(1.0, 1.0).load_state_dict(state)


async def test_who_comes_back_alone_has_its_x_until_it_begins_at_a_newer_one(
    regression: Regression,
) -> None:
    learner, other = regression(dropout=0.5), regression(dropout=0.5, seed=3)
    await learner.step()

    with alone():
        other.load_state_dict(learner.state_dict())

    assert not other.resumed
    assert torch.equal(other.x, learner.x)
    assert torch.equal(await other.gradient(at=learner.x), await learner.gradient())


async def given() -> Tensor:
    return torch.tensor([7.0, 7.0])


@pytest.mark.parametrize("resumed", [False, True])
async def test_it_begins_at_the_x_it_is_given_unless_it_has_just_come_back_with_its_own(
    resumed: bool,
) -> None:
    learner = quadratic(1.0, -1.0)
    if resumed:
        learner.load_state_dict(quadratic(3.0, 5.0).state_dict())

    await learner.begin(given)

    assert learner.x.tolist() == ([3.0, 5.0] if resumed else [7.0, 7.0])
    assert not learner.resumed


async def test_it_begins_at_its_own_x_once_only() -> None:
    learner = quadratic(1.0, -1.0)
    learner.load_state_dict(quadratic(3.0, 5.0).state_dict())

    for _ in range(2):
        await learner.begin(given)

    assert learner.x.tolist() == [7.0, 7.0]


async def test_learners_in_one_process_do_not_share_draws(regression: Regression) -> None:
    alone = regression(dropout=0.5, seed=1)
    expected = [(await alone.gradient()).clone() for _ in range(4)]
    one, other = regression(dropout=0.5, seed=1), regression(dropout=0.5, seed=2)

    found = []
    for _ in range(4):
        g, _ = await asyncio.gather(one.gradient(), other.gradient())
        found.append(g.clone())

    assert all(map(torch.equal, found, expected))


async def test_buffers_travel_by_copy(regression: Regression) -> None:
    learner = regression(extra=nn.BatchNorm1d(4))
    other = regression(extra=nn.BatchNorm1d(4))
    before = learner.buffers()
    await learner.gradient()

    other.load_buffers(learner.buffers())

    assert before["1.num_batches_tracked"] == 0
    assert other.buffers()["1.num_batches_tracked"] == 1
    assert torch.equal(other.buffers()["1.running_mean"], learner.buffers()["1.running_mean"])
    assert learner.x.numel() == 26 + 8


async def test_a_cohorts_gradients_are_those_of_each_client(regression: Regression) -> None:
    learner = regression()
    at = torch.stack([learner.x, 2 * learner.x, torch.zeros_like(learner.x)])
    inputs, targets = torch.randn(3, 5, 3), torch.randn(3, 5, 2)

    cohort = await learner.gradients(at, (inputs, targets))

    for k in range(3):
        alone = await learner.gradient(at=at[k].clone(), batch=(inputs[k], targets[k]))
        assert torch.allclose(cohort[k], alone, atol=1e-6)


async def test_a_hessian_product_changes_nothing_of_the_training(regression: Regression) -> None:
    learner = regression(dropout=0.5, extra=nn.BatchNorm1d(4))
    twin = regression(dropout=0.5, extra=nn.BatchNorm1d(4))
    g = (await learner.gradient()).clone()
    await twin.gradient()
    batch = (torch.ones(2, 3), torch.ones(2, 2))

    await learner.hessian_product(torch.ones_like(learner.x), batch)

    assert torch.equal(await learner.gradient(batch=None), await twin.gradient())
    assert not torch.equal(g, torch.zeros_like(g))
    assert all(map(torch.equal, learner.buffers().values(), twin.buffers().values()))
    assert learner.model.training


async def test_a_hessian_product_worked_by_hand() -> None:
    product = await quadratic(1.0, 1.0).hessian_product(
        torch.tensor([1.0, -1.0]), torch.tensor([3.0, 5.0]), at=torch.zeros(2)
    )

    assert product.tolist() == [3.0, -5.0]


async def test_a_gan_pair_is_two_learners_whose_losses_name_each_other() -> None:
    G, D = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    d = Learner(D, lambda D, real: (D(real) - D(G(torch.ones(1)))).sum(), [torch.full((1,), 3.0)])
    g = Learner(G, lambda G, z: D(G(z)).sum(), [torch.ones(1)])
    await g.apply(Tensor.fill_, 2.0)
    await d.apply(Tensor.fill_, 5.0)

    gradients = [(await each.gradient()).tolist() for each in (d, g, d)]

    assert gradients == [[1.0], [5.0], [1.0]]


async def test_predictions_are_made_in_evaluation_mode_at_any_vector() -> None:
    learner = Supervised(nn.Sequential(nn.Linear(1, 1), nn.Dropout(1.0)), mse_loss, [])

    answer = await learner.predict(torch.ones(1), at=torch.tensor([2.0, 3.0]))

    assert answer.tolist() == [5.0]
    assert not answer.requires_grad
    assert learner.model.training


async def test_it_takes_a_dataloader_and_measures_loss_and_accuracy() -> None:
    inputs, targets = torch.eye(3), torch.tensor([0, 1, 0])
    model = nn.Linear(3, 3, bias=False)
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=2)
    learner = Supervised(model, nn.CrossEntropyLoss(), loader)

    measured = await learner.measure(at=100 * torch.eye(3).flatten())

    assert measured["accuracy"] == pytest.approx(2 / 3)
    assert measured["loss"] == pytest.approx(100 / 3)


async def test_a_batch_is_moved_to_the_models_device() -> None:
    learner = Supervised(nn.Linear(1, 1), mse_loss, [], device=torch.device("cpu"))

    assert learner.device == learner.x.device == torch.device("cpu")


async def test_a_double_precision_model_is_learned_in_double_precision() -> None:
    learner = Supervised(nn.Linear(1, 1).double(), mse_loss, [])

    g = await learner.gradient(batch=(torch.ones(1, 1).double(), torch.ones(1, 1).double()))

    assert learner.x.dtype == g.dtype == torch.float64


async def test_a_failing_loss_leaves_the_learner_as_it_was(regression: Regression) -> None:
    learner = regression()
    before = learner.x.clone()

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        await learner.gradient(at=torch.zeros_like(before), batch=(torch.ones(1, 2), None))

    assert torch.equal(learner.x, before)
    assert learner.model.get_parameter("0.weight").data_ptr() == learner.x.data_ptr()


async def test_a_step_without_an_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="Learner has no optimizer, but a step needs one"):
        await Learner(Quadratic(1.0), total).step(torch.ones(1))


def test_two_learning_rates_are_no_eta() -> None:
    model = nn.Linear(1, 1)
    groups: list[dict[str, Any]] = [{"params": [model.weight], "lr": 0.5}, {"params": [model.bias]}]
    learner = Supervised(model, mse_loss, [], torch.optim.SGD(groups, lr=1.0))

    with pytest.raises(ValueError, match=r"learning rates \[0.5, 1.0\], but one is wanted"):
        _ = learner.eta


async def test_a_gradient_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the gradient does not fit: it is .*\(3,\).*\(2,\)"):
        await quadratic(1.0, 1.0).step(torch.zeros(3))


async def test_measuring_on_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="gave no batch to measure on"):
        await Supervised(nn.Linear(1, 1), mse_loss, []).measure()
