"""Actors that send, keep and lend tensors: the only ones here that need torch."""

from __future__ import annotations

import asyncio
from typing import Any

import torch
from torch import Tensor

from tests.conformance import cutting
from tests.conformance.gates import Gate, pass_through, until
from tests.conformance.players import waiting
from tether.actors import Group, Ref, batched, buffer, oneway
from tether.actors.buffers import lent

__all__ = ["cutting"]
LARGE = 100_000
"""Numbers in a tensor that travels beside the structure of its message."""


class Holder:
    """Holds a tensor, and answers with what it is sent."""

    def __init__(self) -> None:
        self.x = torch.zeros(LARGE)
        self.shapes: list[tuple[int, ...]] = []

    async def echo(self, value: Any) -> Any:
        return value

    async def looks(self, x: Tensor) -> tuple[str, str, bool, bool, str]:
        """Say how a tensor has arrived."""
        return str(x.dtype), str(x.device), x.is_contiguous(), x.requires_grad, type(x).__name__

    async def total(self, x: Tensor) -> float:
        return x.sum().item()

    @oneway
    async def keep(self, x: Tensor) -> None:
        self.x = x.clone()

    async def set(self, x: Tensor) -> None:
        self.x = x.clone()

    async def held(self) -> Tensor:
        return self.x

    async def held_in_a_buffer(self) -> Tensor:
        return buffer(LARGE).copy_(self.x)

    async def held_before(self) -> Tensor:
        """Answer with a tensor, and write into it at once."""
        asyncio.get_running_loop().call_soon(self.x.zero_)
        return self.x

    async def spoil(self, x: Tensor) -> None:
        x.zero_()

    async def total_after(self, x: Tensor, gate: str) -> float:
        await pass_through(gate)
        return x.sum().item()

    async def gather(self, many: int) -> None:
        """Be busy until so many messages wait."""
        await until(lambda: waiting() >= many)

    async def hold(self, gate: str) -> None:
        """Be busy until a gate is open."""
        await pass_through(gate)

    @batched(max_size=4, max_wait=0, stack=True)
    async def doubled(self, states: Tensor) -> Tensor:
        self.shapes.append(tuple(states.shape))
        return 2 * states

    async def stacked(self) -> list[tuple[int, ...]]:
        return self.shapes


class Lender:
    """Sends what lies in transport memory."""

    def __init__(self, holder: Ref[Holder]) -> None:
        self.holder = holder

    async def lend(self, path: str) -> list[Any]:
        """Ask for the total of a tensor; return it, and whether it was lent before and after."""
        x, gate = buffer(LARGE).fill_(1.0), Gate(path)
        asking = asyncio.create_task(self.holder.total_after(x, path))
        await gate.reached()
        before = lent(x)
        gate.open()
        return [before, await asking, lent(x)]

    async def lend_and_cancel(self, path: str) -> bool:
        """Cancel an ask that has started; return whether its memory is lent on until its end."""
        x, gate = buffer(LARGE).fill_(1.0), Gate(path)
        asking = asyncio.create_task(self.holder.total_after(x, path))
        await gate.reached()
        asking.cancel()
        await asyncio.wait([asking])
        still = lent(x)
        gate.open()
        await until(lambda: not lent(x))
        return still

    async def lend_and_withdraw(self, path: str) -> bool:
        """Cancel an ask that has not started; return whether its memory is lent on for a while."""
        x, gate = buffer(LARGE).fill_(1.0), Gate(path)
        busy = asyncio.create_task(self.holder.hold(path))
        await gate.reached()
        asking = asyncio.create_task(self.holder.total(x))
        await asyncio.sleep(0)
        still = lent(x)
        asking.cancel()
        await asyncio.wait([asking])
        gate.open()
        await until(lambda: not lent(x))
        await busy
        return still

    async def send(self) -> bool:
        """Send a one-way and write at once into what was sent; return whether it is lent."""
        x = buffer(LARGE).fill_(1.0)
        await self.holder.keep(x)
        was_lent = lent(x)
        x.zero_()
        return was_lent

    async def spoil_what_is_lent(self, path: str) -> float:
        """Write into a tensor while it is lent."""
        x, gate = buffer(LARGE).fill_(1.0), Gate(path)
        asking = asyncio.create_task(self.holder.total_after(x, path))
        await gate.reached()
        x.zero_()
        gate.open()
        return await asking


class Sender:
    """Has holders told what it is told itself, over edges of its own."""

    def __init__(self, holder: Ref[Holder], holders: Group[Holder]) -> None:
        self.holder = holder
        self.holders = holders

    async def echo(self, x: Tensor) -> Tensor:
        answer: Tensor = await self.holder.echo(x)
        return answer

    async def keep(self, x: Tensor) -> None:
        await self.holder.keep(x)

    async def set(self, x: Tensor) -> None:
        await self.holders.map(Holder.set, x)
