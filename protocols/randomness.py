"""Random numbers that belong to one learner, though torch has one stream for all of a process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import torch
from torch import Tensor

_turn = Lock()
"""torch's default generators are the process's, so learners that share one take turns."""


class Draws:
    """A learner's own stream of torch's default random numbers, on the CPU and its device.

    Without a seed it goes on from where torch's own stream stands now.
    """

    def __init__(self, device: torch.device, seed: int | None = None) -> None:
        self.device = device
        with _turn:
            self.states = self._states() if seed is None else self._seeded(seed)

    @contextmanager
    def own(self) -> Iterator[None]:
        """Have everything drawn in the block come from this stream, and nothing of it outside."""
        with _turn:
            outside = self._states()
            self._adopt(self.states)
            try:
                yield
            finally:
                self.states = self._states()
                self._adopt(outside)

    def _seeded(self, seed: int) -> list[Tensor]:
        """Return what torch.manual_seed would make of the generators, without touching them."""
        states = [torch.Generator().manual_seed(seed).get_state()]
        if self.device.type == "cuda":
            states.append(torch.Generator(self.device).manual_seed(seed).get_state())
        return states

    def _states(self) -> list[Tensor]:
        states = [torch.get_rng_state()]
        if self.device.type == "cuda":
            states.append(torch.cuda.get_rng_state(self.device))
        return states

    def _adopt(self, states: Sequence[Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self.device.type == "cuda" and len(states) > 1:
            torch.cuda.set_rng_state(states[1], self.device)
