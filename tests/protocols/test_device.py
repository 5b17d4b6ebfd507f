"""Learning where the device is: on a GPU where there is one, else on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from tests.protocols.conftest import Batches, build
from tether.protocols.easgd import Center, Worker
from tether.protocols.learner import Supervised
from tether.runners.world import World


def on(device: torch.device) -> Supervised:
    """Return the learner of the protocol tests, with its model moved to a device."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    with torch.no_grad():
        for parameter, like in zip(model.parameters(), build().model.parameters(), strict=True):
            parameter.copy_(like)
    model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return Supervised(model, mse_loss, Batches(), optimizer, device=device, seed=0)


def start() -> Tensor:
    return torch.zeros(26)


async def test_vector_gradient_and_optimizer_live_on_the_device(device: torch.device) -> None:
    learner = on(device)

    await learner.step()

    assert learner.optimizer is not None
    velocities = [state["momentum_buffer"] for state in learner.optimizer.state.values()]
    assert {each.device.type for each in (learner.x, learner.loss, *velocities)} == {device.type}
    assert (await learner.gradient()).device.type == device.type


async def test_training_on_the_device_agrees_with_training_on_the_cpu(
    device: torch.device,
) -> None:
    here, there = on(torch.device("cpu")), on(device)

    for _ in range(20):
        await here.step()
        await there.step()

    assert torch.allclose(here.x, there.x.cpu(), atol=1e-5)


async def test_a_worker_on_the_device_exchanges_with_a_center_on_the_cpu(
    device: torch.device,
) -> None:
    wiring = {
        "center": {"actor": Center, "x": {"make": start}, "alpha": 0.5},
        "worker": {
            "actor": Worker,
            "on": "gpu0" if device.type == "cuda" else "cpu",
            "center": "@center",
            "learner": {"make": on, "device": "$device"},
            "tau": 2,
            "steps": 10,
        },
    }

    async with World(wiring) as world:
        await world.finished()
        x = (await world.ref(Center, "center").pull()).clone()

    assert x.device.type == "cpu"
    assert x.abs().sum() > 0
