"""The codecs as functions: numbers worked by hand, and what bounds their errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tether.actors.compression import (
    CHUNK,
    CODECS,
    LEAST,
    MOST,
    NUMBERS,
    PIECE,
    STRIDE,
    Codec,
    from_int8,
    from_topk,
    int8,
    int8_size,
    largest,
    pieces,
    topk,
    without_topk,
)

TINY = 2.0**-133
"""An error that is let pass where bfloat16 and int8's scales are subnormal."""
numbers = st.floats(-(2.0**100), 2.0**100, width=32)
halves = st.floats(-65000, 65000, width=32)


def rng() -> Any:
    return np.random.default_rng(7)


def lists(elements: st.SearchStrategy[float]) -> st.SearchStrategy[Tensor]:
    some = st.lists(elements, min_size=1, max_size=40)
    return some.map(lambda values: torch.tensor(values, dtype=torch.float32))


def there_and_back(name: str, x: Tensor, **parameters: Any) -> Tensor:
    codec, out = CODECS[name], torch.full_like(x, math.nan)
    codec.decode(codec.encode(x, rng(), **parameters), out)
    return out


def test_bf16_keeps_eight_bits_of_a_number() -> None:
    x = torch.tensor([1.0, 1.0 + 2**-7, 1.0 + 2**-9, -3.0e38])

    back = there_and_back("bf16", x)

    assert back[:3].tolist() == [1.0, 1.0 + 2**-7, 1.0]
    assert back[3] == pytest.approx(-3.0e38, rel=2**-8)


def test_fp16_keeps_eleven_bits_of_a_number() -> None:
    x = torch.tensor([1.0, 1.0 + 2**-10, 1.0 + 2**-12, -65504.0, 2.0**-24])

    assert there_and_back("fp16", x).tolist() == [1.0, 1.0 + 2**-10, 1.0, -65504.0, 2.0**-24]


def test_int8_has_a_scale_of_a_127th_of_the_largest() -> None:
    x = torch.tensor([127.0, -12.0, 0.25, 0.75])

    payload = int8(x, rng())

    assert payload[:4].view(torch.float32).item() == 1.0
    assert payload[4:].view(torch.int8).tolist() == [127, -12, 0, 1]
    assert there_and_back("int8", x).tolist() == [127.0, -12.0, 0.0, 1.0]


def test_int8_has_a_scale_for_each_chunk_and_one_for_the_rest() -> None:
    x = torch.cat((torch.full((CHUNK,), 127.0), torch.full((CHUNK,), 254.0), torch.ones(3)))

    payload = int8(x, rng())

    assert payload.numel() == int8_size(x.numel()) == 2 * CHUNK + 3 + 3 * 4
    assert payload[:12].view(torch.float32).tolist() == pytest.approx([1.0, 2.0, 1 / 127])
    assert torch.allclose(there_and_back("int8", x), x)


def test_int8_of_zeros_is_zeros() -> None:
    assert there_and_back("int8", torch.zeros(5)).tolist() == [0.0] * 5


def test_stochastic_rounding_is_right_on_average_and_the_same_for_the_same_seed() -> None:
    x = torch.full((200 * CHUNK,), 0.25)
    x[::CHUNK] = 127.0

    once = there_and_back("int8", x, rounding="stochastic")
    again = there_and_back("int8", x, rounding="stochastic")

    rest = once[x == 0.25]
    assert set(rest.tolist()) == {0.0, 1.0}
    assert rest.mean().item() == pytest.approx(0.25, abs=0.005)
    assert torch.equal(once, again)


def test_topk_sends_the_largest_values_and_where_they_stand() -> None:
    x = torch.tensor([1.0, -8.0, 0.5, 4.0, -2.0])

    payload = topk(x, rng(), 0.4)

    values, places = payload[:8].view(torch.float32), payload[8:].view(torch.int32)
    assert dict(zip(places.tolist(), values.tolist(), strict=True)) == {1: -8.0, 3: 4.0}
    assert there_and_back("topk", x, share=0.4).tolist() == [0.0, -8.0, 0.0, 4.0, 0.0]
    assert without_topk(x, payload).tolist() == [1.0, 0.0, 0.5, 0.0, -2.0]


def test_topk_sends_float64_as_it_is() -> None:
    x = torch.tensor([1.0, math.pi], dtype=torch.float64)

    assert there_and_back("topk", x, share=0.5).tolist() == [0.0, math.pi]


def test_topk_rounds_the_number_of_values_up() -> None:
    assert topk(torch.arange(11.0), rng(), 0.1).numel() == 2 * (4 + 4)


@settings(deadline=None)
@given(lists(numbers))
def test_bf16_is_off_by_2_to_the_minus_8_at_most(x: Tensor) -> None:
    error = (there_and_back("bf16", x) - x).abs().double()

    assert bool((error <= 2**-8 * x.abs().double() + TINY).all())


@settings(deadline=None)
@given(lists(halves))
def test_fp16_is_off_by_2_to_the_minus_11_at_most(x: Tensor) -> None:
    error = (there_and_back("fp16", x) - x).abs().double()

    assert bool((error <= 2**-11 * x.abs().double() + 2**-25).all())


@settings(deadline=None)
@given(lists(numbers), st.sampled_from([("nearest", 0.5), ("stochastic", 1.0)]))
def test_int8_is_off_by_half_a_scale_or_by_less_than_one(x: Tensor, way: tuple[str, float]) -> None:
    rounding, most = way

    error = (there_and_back("int8", x, rounding=rounding) - x).abs().double()

    scale = float(x.abs().max()) / 127
    assert float(error.max()) <= most * scale * (1 + 1e-4) + 127 * 2.0**-149


@settings(deadline=None)
@given(lists(numbers), st.floats(LEAST, MOST))
def test_topk_keeps_the_largest_to_the_bit(x: Tensor, share: float) -> None:
    payload = topk(x, rng(), share)
    count = math.ceil(share * x.numel())

    back = torch.empty_like(x)
    from_topk(payload, back)
    rest = without_topk(x.clone(), payload)

    assert payload.numel() == 8 * count
    assert torch.equal(back + rest, x)
    assert sorted(back.abs().tolist())[-count:] == sorted(x.abs().tolist())[-count:]
    assert float(rest.abs().max()) <= sorted(x.abs().tolist())[-count]


@pytest.mark.parametrize("share", [LEAST, 0.01, 0.2, MOST])
@pytest.mark.parametrize("size", [PIECE - 1, PIECE, 3 * PIECE + 17])
def test_a_sample_finds_the_largest_of_a_long_tensor(share: float, size: int) -> None:
    x = torch.randn(size, generator=torch.Generator().manual_seed(size))
    count = math.ceil(share * size)

    found = largest(x, count)

    assert len(set(found.tolist())) == count
    assert torch.equal(x[found].abs().sort().values, x.abs().topk(count).values.sort().values)


def test_a_sample_that_deceives_costs_time_and_nothing_else() -> None:
    x = torch.ones(PIECE)
    x[::STRIDE] = 10.0
    x[1] = 5.0
    count = (x == 10.0).sum().item() + 1

    found = largest(x, int(count))

    assert set(x[found].tolist()) == {10.0, 5.0}


def test_what_is_equal_is_not_sent_twice() -> None:
    found = largest(torch.ones(PIECE), 1000)

    assert len(set(found.tolist())) == 1000


def test_pieces_are_all_of_a_tensor_in_its_own_memory() -> None:
    x = torch.arange(2.0 * PIECE + 1)

    cut = list(pieces(x))

    assert [piece.numel() for piece in cut] == [PIECE, PIECE, 1]
    assert cut[2].data_ptr() == x[-1:].data_ptr()


@pytest.mark.parametrize("size", [7, 9, 12, 24])
def test_bytes_that_hold_no_values_and_places_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"{size} bytes hold no places in a tensor of 2"):
        from_topk(torch.zeros(size, dtype=torch.uint8), torch.zeros(2))


@pytest.mark.parametrize("place", [-1, 2, 2**31 - 1])
def test_a_place_outside_the_tensor_is_refused(place: int) -> None:
    ends = torch.tensor([1.0]).view(torch.uint8), torch.tensor([place]).int().view(torch.uint8)

    with pytest.raises(ValueError, match="largest values came for places outside a tensor of 2"):
        from_topk(torch.cat(ends), torch.zeros(2))


def test_int8_fills_tensors_of_other_dtypes() -> None:
    x = torch.tensor([127.0, -12.0])

    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        out = torch.empty(2, dtype=dtype)
        from_int8(int8(x, rng()), out)
        assert out.tolist() == [127.0, -12.0]


def test_every_codec_has_its_number_and_what_it_says_of_its_parameters() -> None:
    wanted = {1: "bf16", 2: "fp16", 3: "int8", 4: "topk"}

    assert {number: codec.name for number, codec in NUMBERS.items()} == wanted
    for codec in CODECS.values():
        for parameter in codec.parameters.values():
            assert parameter.wanted
            assert parameter.default is None or parameter.fits(parameter.default)


@pytest.mark.parametrize("share", [0, LEAST / 2, 0.6, True, "0.1", None, math.nan])
def test_a_share_is_a_number_within_its_bounds(share: Any) -> None:
    fits = CODECS["topk"].parameters["share"].fits

    assert not fits(share)
    assert fits(LEAST)
    assert fits(MOST)


def test_one_more_codec_is_one_more_function() -> None:
    def signs(x: Tensor, _rng: Any) -> Tensor:
        return x.sign().to(torch.int8).view(torch.uint8)

    def from_signs(payload: Tensor, out: Tensor) -> None:
        out.copy_(payload.view(torch.int8))

    codec = Codec("signs", 99, signs, from_signs)
    out = torch.empty(3)
    codec.decode(codec.encode(torch.tensor([-2.0, 0.0, 5.0]), rng()), out)

    assert out.tolist() == [-1.0, 0.0, 1.0]
