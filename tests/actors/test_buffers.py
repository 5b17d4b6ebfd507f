"""Buffers are transport memory inside an actor, and ordinary tensors outside."""

from __future__ import annotations

import pytest
import torch

from tests.actors.conftest import World
from tether.actors import buffer
from tether.actors.buffers import lent
from tether.actors.directory import Place


@pytest.mark.parametrize("shape", [3, (), (0,), (2, 3), torch.Size([4])])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float64, torch.bool])
async def test_a_buffer_has_the_shape_and_dtype_asked_for(
    memory: World, shape: int | tuple[int, ...], dtype: torch.dtype | None
) -> None:
    async def play() -> torch.Tensor:
        return buffer(shape, dtype)

    for tensor in (await memory.act(play), buffer(shape, dtype)):
        assert tensor.shape == torch.empty(shape).shape
        assert tensor.dtype == (dtype or torch.float32)


async def test_a_buffer_can_be_written_and_is_transport_memory(memory: World) -> None:
    async def play() -> tuple[float, bool]:
        x = buffer(1000).fill_(2)
        return x.sum().item(), memory.nodes["left"].pool.owns(x.data_ptr())

    assert await memory.act(play) == (2000, True)


async def test_a_buffer_nobody_looks_at_is_given_out_again(memory: World) -> None:
    async def play() -> bool:
        address = buffer(100_000).data_ptr()
        return buffer(100_000).data_ptr() == address

    assert await memory.act(play)


async def test_a_new_buffer_is_not_lent_and_outside_an_actor_nothing_is(memory: World) -> None:
    async def play() -> bool:
        return lent(buffer(3))

    assert not await memory.act(play)
    assert not lent(buffer(3))


async def test_a_view_of_a_lent_buffer_is_lent(memory: World) -> None:
    async def play() -> bool:
        x = buffer(100)
        memory.nodes["left"].pool.lend(x.data_ptr())
        return lent(x[50:])

    assert await memory.act(play)


@pytest.mark.gpu
async def test_a_buffer_lies_on_the_actors_device(memory: World, device: torch.device) -> None:
    class Worker:
        async def where(self) -> str:
            return buffer(3).device.type

    node = memory.nodes["left"]
    node.directory.add("worker/0", Place("home", Worker))
    node.spawn("worker/0", Worker, device=str(device))

    assert await node.ref("worker/0").where() == device.type
