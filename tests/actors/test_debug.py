"""TETHER_DEBUG=1 names who wrote into memory that was not theirs."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
import torch

from tests.actors.conftest import World, until
from tether.actors import buffer, debug


class Center:
    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def write(self, x: torch.Tensor) -> None:
        x += 1

    async def wait(self, x: torch.Tensor) -> float:
        await self.open.wait()
        return x.sum().item()

    async def fail(self, x: torch.Tensor) -> None:
        raise ValueError("not finite")


@pytest.fixture(autouse=True)
def debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug, "ON", True)


async def test_a_handler_that_writes_into_its_argument_is_named(world: World) -> None:
    center = world.spawn("center/0", Center)

    async def play() -> None:
        await center.write(buffer(20_000).zero_())

    with pytest.raises(
        RuntimeError, match=r"center/0: Center\.write wrote into an argument, which"
    ):
        await world.act(play)


async def test_an_asker_that_writes_into_what_it_lent_is_named(world: World) -> None:
    center = world.spawn("center/0", Center)

    async def play() -> None:
        x = buffer(20_000).zero_()
        call = asyncio.ensure_future(center.wait(x))
        await until(lambda: world.cell("center/0").current)
        x += 1
        world.actor("center/0").open.set()
        await call

    # Where both hold the same memory, nothing tells which of them wrote while both had the chance.
    transport = world.nodes["left"].transport
    both = transport is None or transport.shares
    who = "wrote into an argument" if both else "script/0 wrote into a tensor while it"
    with pytest.raises(RuntimeError, match=who):
        await world.act(play)


async def test_who_keeps_the_rules_is_not_disturbed(world: World) -> None:
    center = world.spawn("center/0", Center)
    world.actor("center/0").open.set()

    async def play() -> float:
        x = buffer(20_000).zero_()
        for _ in range(3):
            total: float = await center.wait(x)
            x += 1
        return total

    assert await world.act(play) == 40_000


async def test_a_failure_of_the_handler_is_not_hidden(world: World) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(ValueError, match="not finite"):
        await world.act(lambda: center.fail(torch.zeros(20_000)))


@pytest.mark.parametrize(("value", "on"), [("1", True), ("0", False), ("", False)])
def test_it_is_switched_on_by_the_environment(value: str, on: bool) -> None:
    code = "from tether.actors import debug; print(debug.ON)"

    said = subprocess.check_output([sys.executable, "-c", code], env={"TETHER_DEBUG": value})

    assert said.decode().strip() == str(on)
