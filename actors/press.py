"""What compresses the messages of one process, and keeps what was not sent of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tether.actors import tensors
from tether.actors.compression import NUMBERS, Way
from tether.actors.journal import Row, Word
from tether.actors.membership import table_of
from tether.actors.message import Part
from tether.actors.payload import Saving, compress, decompress, empty, suits

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

    from tether.actors.assembly import Take
    from tether.actors.clock import Clock

Ways = Mapping[tuple[str, str], Way]
"""How what the actors of one table send to those of another is made smaller; plain where absent."""
BOOKED = 1000
"""Errors are booked in so many parts of a byte."""


class Key(NamedTuple):
    """Whose tensor it is: who sends it to whom (an actor, or all of a table) in which message.

    `number` is its place among the compressed tensors of the message.
    """

    source: str
    target: str
    message: str
    number: int


class Presses:
    """The compressing of one process: the ways of its edges, its chance, its residuals."""

    def __init__(self, ways: Ways, clock: Clock, take: Take) -> None:
        self.ways = ways
        self.take = take
        self.residuals: dict[Key, Tensor] = {}
        """What was not sent yet of tensors whose codec has error feedback, by whose they are."""
        self._clock = clock
        self._chance: dict[str, Generator] = {}

    def edge(self, source: str, target: str) -> str:
        """Return the table of a target to which something is compressed; empty if it is not."""
        there = table_of(target)
        return there if (table_of(source), there) in self.ways else ""

    def press(self, source: str, target: str, message: str) -> Press | None:
        """Return what compresses one message to an actor, or to all of a table; None if nothing."""
        way = self.ways.get((table_of(source), table_of(target)))
        return None if way is None else Press(self, way, Key(source, target, message, 0))

    def chance(self, source: str) -> Generator:
        """Return an actor's generator for rounding, seeded by (run seed, actor)."""
        if source not in self._chance:
            from numpy.random import default_rng

            seed = self._clock.random(f"rounding of {source}").getrandbits(64)
            self._chance[source] = default_rng(seed)
        return self._chance[source]

    def forget(self, source: str) -> None:
        """Let go of what an actor has not sent: it has ended, and who follows begins at zero."""
        self._chance.pop(source, None)
        for key in [key for key in self.residuals if key.source == source]:
            del self.residuals[key]


class Press:
    """Compresses the tensors of one message, in the order in which it is called."""

    __slots__ = ("_kept", "_key", "_number", "_presses", "_saving", "_way")

    def __init__(self, presses: Presses, way: Way, key: Key) -> None:
        self._presses = presses
        self._way = way
        self._key = key
        self._number = 0
        self._kept: dict[Key, Tensor] = {}
        self._saving = Saving()

    def __call__(self, value: Any) -> tuple[str, list[int], Part, int] | None:
        """Return dtype, shape, payload and codec of a tensor; None of what travels as it is."""
        if not tensors.is_tensor(value) or not suits(value):
            return None
        key = self._key._replace(number=self._number)
        self._number += 1
        x = value.detach().cpu().resolve_neg().reshape(-1)
        if self._way.codec.feedback:
            x = self._with_residual(x, key)
        take = self._presses.take
        chance = self._presses.chance(key.source)
        made = compress(self._way, x, chance, take, value.nbytes)
        if made is None:
            return None
        payload, saving = made
        self._saving = self._saving + saving
        if self._way.codec.feedback:
            self._kept[key] = x
        dtype = str(value.dtype).removeprefix("torch.")
        part = Part(payload.nbytes, value=payload)
        return dtype, list(value.shape), part, self._way.codec.number

    def _with_residual(self, x: Tensor, key: Key) -> Tensor:
        """Return x and what was not sent before, in memory of its own; halves in float32."""
        import torch

        kind = "float64" if x.dtype is torch.float64 else "float32"
        whole = empty(x.numel(), kind, self._presses.take)
        rest = self._presses.residuals.get(key)
        if rest is None or rest.shape != whole.shape or rest.dtype is not whole.dtype:
            return whole.copy_(x)  # it begins at zero, as for a tensor of another shape
        return torch.add(x, rest, out=whole)

    def end(self) -> Saving | None:
        """Keep what the message did not take along, now that all of it could be encoded.

        Return what it has saved; None when nothing was compressed.
        """
        self._presses.residuals.update(self._kept)
        return self._saving if self._saving.raw else None


def rebuilt(
    number: int, dtype: str, shape: list[int], part: Part, device: str, take: Take | None
) -> Tensor:
    """Return the tensor that a payload stands for, on `device`; raise ValueError if it lies."""
    codec = NUMBERS.get(number)
    if codec is None:
        raise ValueError(f"a tensor came compressed by codec {number}, which is not known here")
    payload = tensors.rebuilt_tensor("uint8", [part.nbytes], part, "cpu")
    return decompress(codec, payload, tensors.count_of(shape), dtype, take).view(shape).to(device)


def book(row: Row, saving: Saving) -> None:
    """Enter in a row of the journal what compressing a message has saved and cost."""
    row[Word.RAW] += saving.raw
    row[Word.PACKED] += saving.packed
    row[Word.ERROR] += round(saving.error * BOOKED)
