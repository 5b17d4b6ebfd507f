"""Processes that read each other's vectors where these lie: on a GPU where there is one."""

from __future__ import annotations

import operator
import os
import signal
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.conformance.gates import eventually
from tether.actors import Ref, buffer
from tether.runners.world import World

SIZE = 200_000


class Keeper:
    """Looks at what it is lent, writes into it, and keeps it without a copy."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.kept: list[Tensor] = []

    async def sign(self, x: Tensor) -> str:
        mean = float(x.mean())
        x[0] = 9
        return f"{mean} on {x.device.type}"

    async def keep(self, x: Tensor) -> None:
        self.kept.append(x)

    async def means(self) -> list[float]:
        return [float(x.mean()) for x in self.kept]

    async def square(self, x: Tensor) -> Tensor:
        return x * x


class Owner:
    """Lends a vector that it has in transport memory."""

    def __init__(self, keeper: Ref[Keeper], device: torch.device) -> None:
        self.keeper = keeper
        self.x = buffer(SIZE).fill_(2)

    async def pid(self) -> int:
        return os.getpid()

    async def lend(self) -> tuple[str, float]:
        said = await self.keeper.sign(self.x)
        return said, float(self.x[0])

    async def leave(self) -> None:
        await self.keeper.keep(self.x)

    async def squares(self) -> float:
        total = 0.0
        for number in range(20):
            self.x.fill_(number)
            y = await self.keeper.square(self.x)
            total += float(y.mean())
        return total

    async def run_ahead(self) -> list[float]:
        """Give the GPU much to do, and send what comes of it at once."""
        x = torch.ones(1024, 1024, device=self.x.device)
        for _ in range(30):
            x = (x @ x).clamp_(max=1)
        await self.keeper.keep(x.view(-1)[:100].clone())
        x.fill_(5)
        return await self.keeper.means()


def tables(owner: str, keeper: str) -> dict[str, dict[str, Any]]:
    return {
        "keeper": {"actor": Keeper, "on": keeper, "device": "$device"},
        "owner": {
            "actor": Owner,
            "on": owner,
            "keeper": "@keeper",
            "device": "$device",
            "restart": "permanent",
        },
    }


@pytest.fixture
def place(device: torch.device) -> str:
    """The GPU when there is one, else the CPU."""
    return "gpu0" if device.type == "cuda" else "cpu"


async def test_a_vector_is_read_where_it_lies(place: str, device: torch.device) -> None:
    async with World(tables(place, place), "processes") as world:
        said, first = await world.ref(Owner, "owner").lend()

    assert said == f"2.0 on {device.type}"
    assert first == 9.0, "it was copied on its way"


async def test_who_works_elsewhere_has_a_copy(place: str, device: torch.device) -> None:
    async with World(tables(place, "cpu"), "processes") as world:
        said, first = await world.ref(Owner, "owner").lend()
    async with World(tables("cpu", place), "processes") as world:
        back, _ = await world.ref(Owner, "owner").lend()

    assert said == "2.0 on cpu"
    assert first == (9.0 if device.type == "cpu" else 2.0)
    assert back == f"2.0 on {device.type}"


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_each_answer_is_of_the_vector_as_it_was_then(place: str, elsewhere: bool) -> None:
    async with World(tables(place, "cpu" if elsewhere else place), "processes") as world:
        total = await world.ref(Owner, "owner").squares()

    assert total == sum(number**2 for number in range(20))


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_what_is_computed_still_is_sent_when_it_is_there(place: str, elsewhere: bool) -> None:
    async with World(tables(place, "cpu" if elsewhere else place), "processes") as world:
        means = await world.ref(Owner, "owner").run_ahead()

    assert means == [1.0]


async def test_what_was_lent_outlives_who_lent_it(place: str) -> None:
    async with World(tables(place, place), "processes") as world:
        owner, keeper = world.ref(Owner, "owner"), world.ref(Keeper, "keeper")
        await owner.leave()
        pid = await owner.pid()
        os.kill(pid, signal.SIGKILL)
        await eventually(owner.pid, partial(operator.ne, pid))
        await owner.leave()

        assert await keeper.means() == [2.0, 2.0]
