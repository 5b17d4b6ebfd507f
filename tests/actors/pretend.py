"""A GPU where there is none: what was given to it is done when a test says so.

Tensors of bfloat16 lie on it, in the host's memory. What shares its memory, tells who may read it,
and waits for it is what a real one has; only the driver and the streams are not there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tether.actors.accelerator import Fence
from tether.actors.region import Region

GPU = "feed"
"""The name of the one GPU there is."""


class PretendFence:
    """Passed with the work that was given before it."""

    def __init__(self, gpu: Pretend) -> None:
        self._gpu = gpu
        self._place = gpu.given

    @property
    def passed(self) -> bool:
        return self._gpu.done >= self._place

    def wait(self) -> None:
        self._gpu.waiting += 1
        with self._gpu.moved:
            self._gpu.moved.wait_for(lambda: self.passed or self._gpu.failure)
        if self._gpu.failure:
            raise RuntimeError(self._gpu.failure)


class Bytes:
    """What numpy takes the bytes of a GPU's memory for."""

    def __init__(self, base: Any) -> None:
        self.base = base
        self.__array_interface__ = base.__cuda_array_interface__


class Pretend:
    """One GPU, seen or not. Busy, it does nothing of what it is given until `finish`."""

    def __init__(self) -> None:
        self.sees = {GPU}
        self.busy = False
        self.given = self.done = 0
        self.waiting = 0
        """How many times somebody began to wait for it."""
        self.failure = ""
        self.moved = threading.Condition()
        self.staged = self.raised = 0
        """Bytes that were copied to the host, and from it."""
        self.pinned_bytes = 0
        self.room = True
        """Whether it has memory left."""
        self.kept: list[tuple[Fence, tuple[Any, ...]]] = []
        self._work: list[Callable[[], object]] = []

    def give(self, work: Callable[[], object]) -> None:
        """Give it something to do."""
        self._work.append(work)
        self.given += 1
        if not self.busy:
            self.finish()

    def finish(self) -> None:
        """Have it do all that it was given."""
        with self.moved:
            while self._work:
                self._work.pop(0)()
                self.done += 1
            self.busy = False
            self.moved.notify_all()

    def fail(self, why: str) -> None:
        """Have it fail at what it was given."""
        with self.moved:
            self.failure = why
            self.moved.notify_all()

    def work(self) -> None:
        """Give it something that takes until `finish`."""
        self.busy = True
        self.give(lambda: None)

    def holds(self, tensor: Tensor) -> bool:
        return tensor.dtype is torch.bfloat16

    def gpu(self, device: Any) -> str:
        return GPU if GPU in self.sees else ""

    def create(self, gpu: str, nbytes: int) -> Region:
        if not self.room:
            raise OSError("out of memory")
        return Region.create(nbytes)

    def adopt(self, gpu: str, fd: int, nbytes: int) -> Region:
        region = Region.adopt(fd, nbytes)
        if gpu not in self.sees:
            raise OSError(f"this process does not see GPU {gpu}")
        return region

    def flat(self, gpu: str, base: Any) -> Tensor:
        return torch.from_numpy(np.asarray(Bytes(base)))

    def fence(self, where: Tensor | str) -> PretendFence:
        return PretendFence(self)

    def down(self, tensor: Tensor, after: Fence, room: Tensor, region: Region | None) -> Fence:
        self.staged += tensor.nbytes
        self.give(lambda: room.copy_(tensor.reshape(-1).view(torch.uint8)))
        fence = self.fence(tensor)
        self.after(fence, tensor, room)
        return fence

    def up(self, tensor: Tensor, device: str, region: Region | None) -> tuple[Tensor, Fence | None]:
        if region is None:
            return tensor.clone(), None
        moved = torch.empty_like(tensor)
        self.raised += tensor.nbytes
        self.give(lambda: moved.copy_(tensor))
        fence = self.fence(tensor)
        self.after(fence, tensor)
        return moved, fence

    def pinned(self, nbytes: int) -> Tensor:
        self.pinned_bytes += nbytes
        return torch.empty(nbytes, dtype=torch.uint8)

    def after(self, fence: Fence, *kept: Any) -> None:
        self.kept = [entry for entry in [*self.kept, (fence, kept)] if not entry[0].passed]
