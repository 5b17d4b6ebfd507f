"""Wire codecs: pure functions that make a dense floating tensor smaller on its way.

A codec is a pair of functions and a line in `CODECS`; nothing else knows its name. `encode` takes a
flat tensor on the CPU and returns its payload, a flat uint8 tensor; `decode` fills a flat tensor
from a payload, and raises ValueError when the two do not fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

PIECE = 1 << 16
"""Values encoded at a time, so that what is written is still in the cache when it is measured.

A payload is those of the pieces one after the other, so that this is part of the wire.
"""
CHUNK = 1024
"""Values that share a scale: part of what `int8` means on the wire."""
LEAST = 1e-3
"""The least share of `topk`: a payload makes a receiver allocate 500 times its bytes at most, 667
times where it is of float64."""
MOST = 0.5
"""The largest share: more, with their places, are no smaller than all of float32."""
STRIDE = 61
"""One in so many values is looked at to guess how large the largest are: a prime, so that it is not
always the same column of a matrix."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a codec may be told: what is wanted in words, whether a value is that, a default."""

    wanted: str
    fits: Callable[[Any], bool]
    default: Any = None


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to make tensors smaller; `number` names it on the wire and is never given again.

    `encode(x, rng, **parameters)` gets pieces of at most `PIECE` values as float32 if there is a
    `size`, which tells a payload's bytes by a piece's values, else all of x, float32 or float64.
    With `feedback` what was not sent is added to what is sent next. `left(x, payload)` returns x
    without what the payload stands for, and may do so in place.
    """

    name: str
    number: int
    encode: Callable[..., Tensor]
    decode: Callable[[Tensor, Tensor], None]
    size: Callable[[int], int] | None = None
    feedback: bool = False
    left: Callable[[Tensor, Tensor], Tensor] | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Way:
    """A codec with all its parameters: how what goes over an edge is made smaller."""

    codec: Codec
    parameters: Mapping[str, Any] = field(default_factory=dict)


def bf16(x: Tensor, _rng: Generator) -> Tensor:
    """Return x as bfloat16, rounded to the nearest: a relative error of 2⁻⁸, float32's range.

    Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019, arXiv:1905.12322.
    """
    import torch

    return x.to(torch.bfloat16).view(torch.uint8)


def from_bf16(payload: Tensor, out: Tensor) -> None:
    """Fill `out` from bfloat16."""
    import torch

    out.copy_(payload.view(torch.bfloat16))


def fp16(x: Tensor, _rng: Generator) -> Tensor:
    """Return x as float16, rounded to the nearest: 2⁻¹¹ of each value, or 2⁻²⁵ below 2⁻¹⁴.

    Micikevicius et al., "Mixed Precision Training", ICLR 2018, arXiv:1710.03740.
    """
    import torch

    return x.to(torch.float16).view(torch.uint8)


def from_fp16(payload: Tensor, out: Tensor) -> None:
    """Fill `out` from float16."""
    import torch

    out.copy_(payload.view(torch.float16))


def int8(x: Tensor, rng: Generator, rounding: str = "nearest") -> Tensor:
    """Return x as scales, float32, and whole numbers of 8 bits: max|x| / 127 for each CHUNK.

    The error of a value is at most half its scale; with rounding = "stochastic" it is below one
    scale, and zero on average (to 1/512 of a scale, as the noise has 8 bits).

    Alistarh et al., "QSGD", NeurIPS 2017, section 3, with max|x| for ‖x‖₂; arXiv:1610.02132.
    """
    import torch

    count = x.numel()
    rows = torch.nn.functional.pad(x, (0, -count % CHUNK)).view(-1, CHUNK)
    scales = rows.abs().amax(1, keepdim=True).div_(127)
    steps = rows / scales.masked_fill(scales == 0, 1.0)
    if rounding == "stochastic":
        noise = torch.from_numpy(rng.integers(0, 256, steps.numel(), "u1")).view(steps.shape)
        steps.add_(noise, alpha=1 / 256).add_(1 / 512).floor_()
    else:
        steps.round_()
    # A scale that is subnormal is so coarse that the largest value may be more than 127 of it.
    whole = steps.clamp_(-127, 127).to(torch.int8).view(-1)[:count]
    return torch.cat((scales.view(-1).view(torch.uint8), whole.view(torch.uint8)))


def int8_size(count: int) -> int:
    """Return the bytes of a payload of `int8`."""
    return count + 4 * -(-count // CHUNK)


def from_int8(payload: Tensor, out: Tensor) -> None:
    """Fill `out` from scales and whole numbers."""
    import torch

    count = out.numel()
    scales = payload[: payload.numel() - count].view(torch.float32)
    whole = payload[payload.numel() - count :].view(torch.int8)
    even = count // CHUNK * CHUNK
    out.copy_(whole)
    out[:even].view(-1, CHUNK).mul_(scales[: even // CHUNK, None])
    if even < count:
        out[even:].mul_(scales[-1])


def topk(x: Tensor, _rng: Generator, share: float) -> Tensor:
    """Return the ⌈share · n⌉ values of largest magnitude as they are, then where they stand.

    Sent with error feedback: p = x + e, Δ = top-k(p), e ← p − Δ. Stich et al., "Sparsified SGD with
    Memory", NeurIPS 2018, algorithm 1, arXiv:1809.07599; Karimireddy et al., ICML 2019, algorithm
    2, arXiv:1901.09847; the idea is Seide et al., "1-Bit SGD", Interspeech 2014, section 3.
    """
    import torch

    found = largest(x, math.ceil(share * x.numel()))
    places = found.to(_place_type(x.numel()))
    return torch.cat((x[found].view(torch.uint8), places.view(torch.uint8)))


def from_topk(payload: Tensor, out: Tensor) -> None:
    """Fill `out` with zeros and the values that came."""
    values, places = _came(payload, out)
    out.zero_()
    out[places] = values.to(out.dtype)


def without_topk(x: Tensor, payload: Tensor) -> Tensor:
    """Return x, in which the values that were sent are 0 now: p − Δ, exactly."""
    _, places = _came(payload, x)
    x[places] = 0.0
    return x


def _came(payload: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    """Return values and places of a payload of `topk`, after a look at whether they can be."""
    import torch

    kind = torch.float64 if out.dtype is torch.float64 else torch.float32
    place = _place_type(out.numel())
    count, rest = divmod(payload.numel(), kind.itemsize + place.itemsize)
    if rest or count > out.numel():
        raise ValueError(f"{payload.numel()} bytes hold no places in a tensor of {out.numel()}")
    values = payload[: count * kind.itemsize].view(kind)
    places = payload[count * kind.itemsize :].view(place).to(torch.int64)
    if count and not (int(places.min()) >= 0 and int(places.max()) < out.numel()):
        raise ValueError(f"largest values came for places outside a tensor of {out.numel()}")
    return values, places


def _place_type(count: int) -> Any:
    import torch

    return torch.int32 if count < 1 << 31 else torch.int64


def largest(x: Tensor, count: int) -> Tensor:
    """Return where the `count` values of largest magnitude stand, int64, in no order.

    A sample tells what most of them exceed, so that few are compared with each other: a tenth of
    the time. Where it tells too much, all are compared.
    """
    import numpy as np
    import torch

    sample = x[::STRIDE].abs()
    some = 5 * count // (4 * STRIDE) + 16  # a quarter more than expected, and 16
    if some < sample.numel():
        floor = sample.topk(some, sorted=False).values.min()
        few = [
            np.flatnonzero((piece.abs() >= floor).numpy()) + PIECE * number
            for number, piece in enumerate(pieces(x))
        ]
        found = torch.from_numpy(np.concatenate(few))
        if found.numel() >= count:
            return found[x[found].abs().topk(count, sorted=False).indices]
    return x.abs().topk(count, sorted=False).indices


def pieces(x: Tensor) -> Iterator[Tensor]:
    """Cut a flat tensor into pieces of `PIECE` values, the last one shorter."""
    for begin in range(0, x.numel(), PIECE):
        yield x[begin : begin + PIECE]


def _share(value: Any) -> bool:
    return type(value) in (int, float) and LEAST <= value <= MOST


def _rounding(value: Any) -> bool:
    return value in ("nearest", "stochastic")


CODECS = {
    codec.name: codec
    for codec in (
        Codec("bf16", 1, bf16, from_bf16, lambda count: 2 * count),
        Codec("fp16", 2, fp16, from_fp16, lambda count: 2 * count),
        Codec(
            "int8",
            3,
            int8,
            from_int8,
            int8_size,
            parameters={"rounding": Parameter('"nearest" or "stochastic"', _rounding, "nearest")},
        ),
        Codec(
            "topk",
            4,
            topk,
            from_topk,
            feedback=True,
            left=without_topk,
            parameters={"share": Parameter(f"a number from {LEAST:g} to {MOST:g}", _share)},
        ),
    )
}
"""All codecs by name. A parameter without a default has to be given."""
NUMBERS = {codec.number: codec for codec in CODECS.values()}
