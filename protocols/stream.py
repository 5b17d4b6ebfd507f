"""Batches without end, resumable at any of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor


class Stream:
    """Goes through an iterable of batches again and again; one time through is an epoch.

    It resumes by restoring the generators as they stood when the epoch began (torch's default one
    and the `generator` of the loader and its sampler) and passing over the batches already given.
    """

    def __init__(self, batches: Iterable[Any]) -> None:
        self.batches = batches
        self.epoch = 0
        self.position = 0
        self._iterator: Iterator[Any] | None = None
        self._began = self._generators()

    def take(self) -> Any:
        """Return the next batch; raises ValueError when an epoch has none."""
        if self._iterator is None:
            self._begin()
        for batch in self._rest():
            self.position += 1
            return batch
        if self.position:
            self.epoch += 1
            self._begin()
            for batch in self._rest():
                self.position += 1
                return batch
        raise ValueError(
            f"epoch {self.epoch} of {type(self.batches).__name__} gave no batch, but one is wanted"
        )

    def _rest(self) -> Iterator[Any]:
        return self._iterator or iter(())

    def _begin(self) -> None:
        self._began = self._generators()
        self._iterator = iter(self.batches)
        self.position = 0

    def _generators(self) -> list[Tensor]:
        return [generator.get_state() for generator in self._sources()]

    def _sources(self) -> list[torch.Generator]:
        owners = (self.batches, getattr(self.batches, "sampler", None))
        found = [getattr(owner, "generator", None) for owner in owners]
        own = [source for source in found if isinstance(source, torch.Generator)]
        return [torch.default_generator, *dict.fromkeys(own)]

    def state_dict(self) -> dict[str, Any]:
        """Return the data cursor: epoch, position, and the generators at the epoch's begin."""
        begun = self._iterator is not None
        return {
            "epoch": self.epoch,
            "position": self.position,
            "begun": begun,
            "generators": self._began if begun else self._generators(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the last batch the cursor knows of."""
        for source, at in zip(self._sources(), state["generators"], strict=True):
            source.set_state(at)
        self._iterator = None
        self.epoch = state["epoch"]
        self.position = 0
        if state["begun"]:
            self._begin()
            for _ in islice(self._rest(), state["position"]):
                self.position += 1


def moved(batch: Any, device: torch.device) -> Any:
    """Return a batch with its tensors on a device, through lists, tuples and dicts."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: moved(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(moved(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(moved(value, device) for value in batch)
    return batch
