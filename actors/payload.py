"""Tensors ⇄ payloads of a codec: piece by piece, in reused memory, with what it saves and costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tether.actors.compression import LEAST, PIECE, Codec, Way, pieces

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

    from tether.actors.assembly import Take

SMALLEST = 4096
"""Bytes below which a tensor travels as it is: a message costs more than these do."""
FLOATS = ("float16", "bfloat16", "float32", "float64")
"""What is compressed, as the names of dtypes; all else travels as it is."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What compressing has saved and cost: bytes before and after, and bytes × relative error."""

    raw: int = 0
    packed: int = 0
    error: float = 0.0

    def __add__(self, other: Saving) -> Saving:
        return Saving(self.raw + other.raw, self.packed + other.packed, self.error + other.error)


def suits(x: Tensor) -> bool:
    """Tell whether a tensor is worth compressing: dense, floating, and not small."""
    import torch

    if x.layout is not torch.strided or x.is_quantized or x.is_meta or x.nbytes < SMALLEST:
        return False
    return str(x.dtype).removeprefix("torch.") in FLOATS


def compress(
    way: Way, x: Tensor, rng: Generator, take: Take | None = None, raw: int = 0
) -> tuple[Tensor, Saving] | None:
    """Return the payload of a flat tensor in memory of `take`, and what it has saved and cost.

    `raw` is how many bytes it replaces, if not those of x. None where it would be no smaller, or
    cannot stand for x: what is not finite or beyond the codec's range. With `feedback` x becomes
    what the payload does not stand for. The error is ‖x − decoded‖ / ‖x‖, in float32.
    """
    codec, raw = way.codec, raw or x.nbytes
    if codec.size is not None and _total(codec.size, x.numel()) >= raw:
        return None
    payload, norm, error = _encoded(way, x, rng, take)
    if payload.numel() >= raw or not math.isfinite(norm + error):
        return None
    relative = math.sqrt(error / norm) if norm else 0.0
    return payload, Saving(raw, payload.numel(), raw * relative)


def _encoded(way: Way, x: Tensor, rng: Generator, take: Take | None) -> tuple[Tensor, float, float]:
    """Return the payload, ‖x‖² and ‖x − decoded‖², measured while the pieces are in the cache."""
    codec, parameters = way.codec, way.parameters
    if codec.size is None:
        payload = codec.encode(x, rng, **parameters)
        norm = _square(x)
        return payload, norm, _square(_left(codec, x, payload))
    whole = empty(_total(codec.size, x.numel()), "uint8", take)
    norm = error = 0.0
    for piece, place in zip(pieces(x), _places(codec.size, x.numel()), strict=True):
        values = piece.float()
        payload = whole[place].copy_(codec.encode(values, rng, **parameters))
        norm += _square(values)
        left = _left(codec, values, payload)
        error += _square(left)
        if codec.feedback:
            piece.copy_(left)
    return whole, norm, error


def _left(codec: Codec, x: Tensor, payload: Tensor) -> Tensor:
    if codec.left is not None:
        return codec.left(x, payload)
    decoded = x.new_empty(x.shape)
    codec.decode(payload, decoded)
    return decoded.sub_(x).neg_() if codec.feedback else decoded.sub_(x)


def _square(x: Tensor) -> float:
    return float(x.dot(x))


def decompress(
    codec: Codec, payload: Tensor, count: int, dtype: str, take: Take | None = None
) -> Tensor:
    """Return the flat tensor of `count` values that a payload stands for, in memory of `take`.

    Raises ValueError when it stands for none such; nothing has been allocated then.
    """
    _check(codec, payload.numel(), count, dtype)
    out = empty(count, dtype, take)
    if codec.size is None:
        codec.decode(payload, out)
        return out
    for piece, place in zip(pieces(out), _places(codec.size, count), strict=True):
        codec.decode(payload[place], piece)
    return out


def _check(codec: Codec, nbytes: int, count: int, dtype: str) -> None:
    if dtype not in FLOATS or count < 1:
        raise ValueError(f"{codec.name} came for {count} values of {dtype!r}, which it never is of")
    wanted = None if codec.size is None else _total(codec.size, count)
    least = 12 if dtype == "float64" else 8  # bytes of one value that is sent, and its place
    if nbytes != wanted if wanted is not None else nbytes < least * LEAST * count:
        raise ValueError(f"{nbytes} bytes of {codec.name} came for a tensor of {count} values")


def _total(size: Callable[[int], int], count: int) -> int:
    pieces, rest = divmod(count, PIECE)
    return pieces * size(PIECE) + (size(rest) if rest else 0)


def _places(size: Callable[[int], int], count: int) -> Iterator[slice]:
    """Yield where in a payload each piece of a tensor stands."""
    for begin in range(0, count, PIECE):
        start = begin // PIECE * size(PIECE)
        yield slice(start, start + size(min(PIECE, count - begin)))


def empty(count: int, dtype: str, take: Take | None) -> Tensor:
    """Return a flat tensor to be filled, in memory of `take` if it is given."""
    import torch

    kind: torch.dtype = getattr(torch, dtype)
    if take is None or not count:
        return torch.empty(count, dtype=kind)
    return torch.from_numpy(take(count * kind.itemsize))[: count * kind.itemsize].view(kind)
