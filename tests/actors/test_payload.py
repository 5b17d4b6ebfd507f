"""Payloads: whole tensors piece by piece, what is not worth it or cannot be, and what it costs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tether.actors.compression import CODECS, PIECE, Way
from tether.actors.memory import Pool
from tether.actors.payload import SMALLEST, Saving, compress, decompress, empty, suits

WAYS = {
    "bf16": Way(CODECS["bf16"]),
    "fp16": Way(CODECS["fp16"]),
    "int8": Way(CODECS["int8"], {"rounding": "nearest"}),
    "topk": Way(CODECS["topk"], {"share": 0.25}),
}
SIZES = [1024, PIECE - 1, PIECE, 2 * PIECE + 1025]


def rng() -> Any:
    return np.random.default_rng(7)


def normal(size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(size)).to(dtype)


def sent(way: Way, x: Tensor) -> tuple[Tensor, Saving]:
    made = compress(way, x, rng())
    assert made is not None
    return made


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", WAYS)
def test_the_error_told_is_that_of_what_arrives(name: str, size: int) -> None:
    x = normal(size)

    payload, saving = sent(WAYS[name], x.clone())
    back = decompress(WAYS[name].codec, payload, size, "float32")

    relative = float((back - x).norm() / x.norm())
    assert (saving.raw, saving.packed) == (x.nbytes, payload.numel())
    assert saving.packed < saving.raw
    assert saving.error / saving.raw == pytest.approx(relative, rel=1e-3)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_int8_takes_and_returns_every_floating_dtype(dtype: str) -> None:
    x = normal(2048, getattr(torch, dtype))

    payload, _ = sent(WAYS["int8"], x)
    back = decompress(WAYS["int8"].codec, payload, 2048, dtype)

    assert back.dtype is x.dtype
    assert float((back - x).abs().max()) <= float(x.abs().max()) / 127 * 0.6


@pytest.mark.parametrize("name", ["bf16", "fp16"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_would_not_be_smaller_travels_as_it_is(name: str, dtype: torch.dtype) -> None:
    assert compress(WAYS[name], normal(4096, dtype), rng()) is None


def test_topk_of_so_many_that_it_is_no_smaller_travels_as_it_is() -> None:
    assert compress(Way(CODECS["topk"], {"share": 0.5}), normal(4096), rng()) is None


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("name", WAYS)
def test_what_is_not_finite_travels_as_it_is(name: str, value: float) -> None:
    x = normal(2 * PIECE)
    x[-1] = value

    assert compress(WAYS[name], x, rng()) is None


@pytest.mark.parametrize(("name", "value"), [("fp16", 7e4), ("bf16", 3.4e38)])
def test_what_is_beyond_the_range_of_a_codec_travels_as_it_is(name: str, value: float) -> None:
    x = normal(2 * PIECE)
    x[-3] = value

    assert compress(WAYS[name], x, rng()) is None


def test_zeros_are_sent_without_an_error() -> None:
    for way in WAYS.values():
        payload, saving = sent(way, torch.zeros(4096))
        assert saving.error == 0.0
        assert not decompress(way.codec, payload, 4096, "float32").any()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(-10, 10))
def test_with_feedback_what_is_sent_and_what_is_left_are_what_was_given(
    seed: int, size: float
) -> None:
    x = torch.randn(1024, generator=torch.Generator().manual_seed(seed)) * 10**size
    given_ = x.clone()

    payload, saving = sent(WAYS["topk"], x)
    back = decompress(CODECS["topk"], payload, 1024, "float32")

    assert torch.equal(back + x, given_)
    assert not (back * x).any()
    assert saving.error / saving.raw == pytest.approx(float(x.norm() / given_.norm()), rel=1e-3)


def test_a_codec_by_pieces_may_have_feedback_too() -> None:
    way = Way(replace(CODECS["bf16"], feedback=True))
    x = normal(PIECE + 9)
    given_ = x.clone()

    payload, _ = sent(way, x)

    assert torch.equal(decompress(way.codec, payload, x.numel(), "float32") + x, given_)


def test_payloads_and_tensors_lie_in_memory_that_is_reused() -> None:
    pool = Pool()

    made = compress(WAYS["bf16"], normal(PIECE), rng(), pool.take)
    assert made is not None
    back = decompress(CODECS["bf16"], made[0], PIECE, "float32", pool.take)

    assert pool.owns(made[0].data_ptr())
    assert pool.owns(back.data_ptr())


def test_an_empty_tensor_has_its_dtype() -> None:
    assert empty(0, "float64", Pool().take).dtype is torch.float64
    assert empty(3, "uint8", Pool().take).shape == (3,)


def test_dense_floating_tensors_that_are_not_small_are_compressed() -> None:
    size = SMALLEST // 4

    assert suits(torch.zeros(size))
    assert suits(torch.zeros(SMALLEST // 2, dtype=torch.bfloat16))
    assert not suits(torch.zeros(size - 1))
    for dtype in (torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn):
        assert not suits(torch.zeros(SMALLEST, dtype=dtype))
    assert not suits(torch.zeros(SMALLEST).to_sparse())
    assert not suits(torch.zeros(SMALLEST, device="meta"))


@pytest.mark.parametrize(("name", "nbytes"), [("bf16", 2049), ("int8", 1024), ("topk", 7)])
def test_a_payload_of_the_wrong_size_is_refused(name: str, nbytes: int) -> None:
    payload = torch.zeros(nbytes, dtype=torch.uint8)

    with pytest.raises(ValueError, match=rf"{nbytes} bytes of {name} came for a tensor of 1024"):
        decompress(CODECS[name], payload, 1024, "float32")


@pytest.mark.parametrize(("count", "dtype"), [(4, "int64"), (4, "Tensor"), (0, "float32")])
def test_a_payload_of_what_is_never_compressed_is_refused(count: int, dtype: str) -> None:
    with pytest.raises(
        ValueError, match=f"came for {count} values of '{dtype}', which it never is of"
    ):
        decompress(CODECS["bf16"], torch.zeros(8, dtype=torch.uint8), count, dtype)


def test_a_small_payload_makes_nobody_allocate_much() -> None:
    taken: list[int] = []

    with pytest.raises(ValueError, match="8 bytes of topk came for a tensor of 1000000000000"):
        decompress(
            CODECS["topk"], torch.zeros(8, dtype=torch.uint8), 10**12, "float32", taken.append
        )

    assert taken == []


def test_savings_add_up() -> None:
    assert Saving(8, 4, 0.5) + Saving(2, 1, 0.25) == Saving(10, 5, 0.75)


@pytest.mark.parametrize(("dtype", "nbytes"), [("float32", 8), ("float64", 12)])
def test_a_payload_of_one_value_stands_for_a_thousand_at_most(dtype: str, nbytes: int) -> None:
    payload = torch.zeros(nbytes, dtype=torch.uint8)

    assert decompress(CODECS["topk"], payload, 1000, dtype).numel() == 1000
    with pytest.raises(ValueError, match=f"{nbytes} bytes of topk came for a tensor of 1001"):
        decompress(CODECS["topk"], payload, 1001, dtype)
