"""Tensors: every dtype travels, a send is a copy unless it is lent, and an answer is a snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually
from tests.conformance.holders import LARGE, Holder, Lender
from tether.actors import debug
from tether.runners.world import World

pytestmark = pytest.mark.timeout(60)  # processes with torch take long to start

ONE: dict[str, dict[str, Any]] = {"holder": {"actor": Holder}}
TWO = {**ONE, "lender": {"actor": Lender, "holder": "@holder"}}
DTYPES = [
    dtype
    for name in (
        "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
        "float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128",
        "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
    )
    if (dtype := getattr(torch, name, None)) is not None
]  # fmt: skip
ARRAYS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", ">f4"]


def tensors() -> Iterator[Tensor]:
    """Yield tensors of every dtype, small and large, and in every layout that is dense."""
    for dtype in DTYPES:
        for n in (0, 3, LARGE):
            data = torch.arange(n * dtype.itemsize) % (2 if dtype == torch.bool else 200)
            yield data.to(torch.uint8).view(dtype)
    x = torch.arange(24.0).reshape(2, 3, 4)
    yield from (torch.tensor(7), x, x.transpose(0, 2), x[:, ::2], x[0, 1, 2], x[:0])
    yield from (torch.ones(1).expand(50_000), torch.tensor([1j, 2]).conj(), x.to(torch.bfloat16))
    yield from (torch.ones(3, requires_grad=True) * 2, nn.Parameter(torch.ones(3)))


def arrays() -> Iterator[Any]:
    """Yield arrays of every dtype, small and large, and in every layout."""
    for kind in ARRAYS:
        yield from ((np.arange(n) % 100).astype(kind) for n in (0, 3, LARGE))
    x = np.arange(24.0).reshape(2, 3, 4)
    yield from (np.array(7), x, x.T, x[:, ::2], np.asfortranarray(x[0]))


def same(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors are the same to the bit."""
    a, b = (x.detach().resolve_conj().contiguous().reshape(-1).view(torch.uint8) for x in (a, b))
    return torch.equal(a, b)


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_tensors_and_arrays_of_every_dtype_arrive_as_they_were(play: Play) -> None:
    async def main(world: World) -> list[Any]:
        holder = world.ref(Holder, "holder")
        for x in tensors():
            for again in (await holder.echo(x), (await holder.echo({"a": [(x,)]}))["a"][0][0]):
                assert (again.dtype, again.shape) == (x.dtype, x.shape)
                assert same(x, again)
        for y in arrays():
            again = await holder.echo(y)
            assert (type(again), again.dtype, again.shape) == (np.ndarray, y.dtype, y.shape)
            assert np.array_equal(again, y)
        sparse, words = torch.eye(3).to_sparse(), np.array(["a"])
        with pytest.raises(
            TypeError, match=r"Holder\.echo: a torch\.sparse_coo tensor of torch\.f"
        ):
            await holder.echo(sparse)
        for array in (words, np.array([None]), np.array(["2020-01-01"], "datetime64[D]")):
            with pytest.raises(
                TypeError, match=r"Holder\.echo: an array of dtype .* does not trav"
            ):
                await holder.echo(array)
        odd = nn.Parameter(torch.arange(6.0).reshape(2, 3).T)
        return [await holder.looks(odd), await holder.looks(torch.ones(LARGE)[::2])]

    looks = play(ONE, main)

    assert looks == [("torch.float32", "cpu", True, False, "Tensor")] * 2


def test_what_is_sent_answered_or_stacked_is_as_it_was_then(play: Play) -> None:
    async def main(world: World) -> tuple[list[Any], list[Any]]:
        holder = world.ref(Holder, "holder")
        for size in (10, LARGE):
            x = torch.ones(size)
            await holder.keep(x)
            x.zero_()
            assert (await holder.held()).sum() == size, "a one-way copies"

            x.fill_(2)
            asking = asyncio.ensure_future(holder.set(x))
            await asyncio.sleep(0)
            x.zero_()
            await asking
            assert (await holder.held()).sum() == 2 * size, "an ask copies what is not lent"

            answer = await holder.held()
            answer.zero_()
            assert (await holder.held()).sum() == 2 * size, "an answer belongs to its caller"
            for _ in range(20):
                await holder.total(torch.full((size,), 7.0))
            assert (await holder.held()).sum() == 2 * size, "what was cloned is the receiver's"

            assert (await holder.held_before()).sum() == 2 * size, "an answer is a snapshot"
            assert (await holder.held()).sum() == 0
        await holder.set(torch.full((LARGE,), 3.0))
        answers = await asyncio.gather(*(holder.held_in_a_buffer() for _ in range(3)))
        assert [int(each.sum()) for each in answers] == [3 * LARGE] * 3
        return await stacked(holder)

    answers, shapes = play(ONE, main)

    assert answers == [[[2.0 * k] * 3] * 2 for k in range(6)]
    assert shapes == [(4, 2, 3), (2, 2, 3)]


async def stacked(holder: Holder) -> tuple[list[Any], list[Any]]:
    """Have calls wait that are handled in one tensor; return all answers, and what was handled."""
    calls = [holder.doubled(torch.full((2, 3), float(k))) for k in range(6)]
    busy = asyncio.ensure_future(holder.gather(6))
    await asyncio.sleep(0)
    answers = await asyncio.gather(*calls)
    await busy
    return [answer.tolist() for answer in answers], await holder.stacked()


def test_transport_memory_is_lent_to_an_ask_until_nobody_reads_it(play: Play) -> None:
    gates = [play.gate().path for _ in range(3)]

    async def main(world: World) -> None:
        holder, lender = world.ref(Holder, "holder"), world.ref(Lender, "lender")
        assert await lender.lend(gates[0]) == [True, LARGE, False]
        assert await lender.lend_and_cancel(gates[1])
        assert await lender.lend_and_withdraw(gates[2])
        assert not await lender.send()
        kept = await eventually(holder.held, lambda x: x.sum() > 0)
        assert kept.sum() == LARGE, "a one-way copies transport memory too"

    play(TWO, main)


def test_debug_names_who_writes_into_what_is_lent(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = play.gate().path
    monkeypatch.setenv("TETHER_DEBUG", "1")
    monkeypatch.setattr(debug, "ON", True)
    tables = {**TWO, "lender": {**TWO["lender"], "beside": "holder"}}

    async def main(world: World) -> None:
        holder, lender = world.ref(Holder, "holder"), world.ref(Lender, "lender")
        with pytest.raises(
            RuntimeError, match=r"holder/0: Holder\.spoil wrote into an argument, wh"
        ):
            await holder.spoil(torch.ones(LARGE))
        with pytest.raises(
            RuntimeError, match=r"wrote into (a tensor while it was lent|an argumen)"
        ):
            await lender.spoil_what_is_lent(gate)
        assert await holder.total(torch.ones(3)) == 3

    play(tables, main)


async def test_a_stacked_handler_that_is_called_directly_gets_a_batch_of_one() -> None:
    holder = Holder()

    answer = await holder.doubled(torch.ones(2, 3))

    assert answer.tolist() == [[2.0] * 3] * 2
    assert holder.shapes == [(1, 2, 3)]
