"""NVIDIA's GPUs, by torch: fences are events, and what goes to the host takes a side stream."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tether.actors.returns import Returns

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tether.actors.accelerator import Fence, Shared
    from tether.actors.region import Region

log = logging.getLogger("tether")


class CudaFence:
    """An event in a stream. Who waits for it sleeps: a core that spins would be the trainer's."""

    __slots__ = ("event",)

    def __init__(self, stream: torch.cuda.Stream) -> None:
        import torch

        self.event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self.event.record(stream)

    @property
    def passed(self) -> bool:
        """Whether all that the stream was given before is done."""
        return bool(self.event.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Sleep until it is."""
        self.event.synchronize()


class Kept(Returns[tuple["Fence", tuple[Any, ...]]]):
    """Objects that a GPU still reads or writes, each with the fence behind that."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[tuple[Fence, tuple[Any, ...]]] = []

    def book(self, item: tuple[Fence, tuple[Any, ...]]) -> None:
        """Keep objects behind a fence, and let go of all whose fence is passed."""
        self._kept = [entry for entry in [*self._kept, item] if not entry[0].passed]


class Cuda:
    """The GPUs this process sees, met when the first tensor is that lies on one."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._sides: dict[torch.device, torch.cuda.Stream] = {}
        self._kept = Kept()

    def holds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor lies on a GPU."""
        return tensor.is_cuda

    def gpu(self, device: Any) -> str:
        """Return the name of a device whose memory others can map; empty where none can."""
        name = self._names.get(str(device))
        if name is None:
            import torch

            from tether.actors import cuda_memory

            index = torch.device(device).index
            number = torch.cuda.current_device() if index is None else index
            name = self._names[str(device)] = cuda_memory.name(number)
        return name

    def create(self, gpu: str, nbytes: int) -> Shared:
        """Return new memory of a GPU; OSError when there is no more of it."""
        from tether.actors.cuda_memory import CudaMemory

        return CudaMemory.create(gpu, nbytes)

    def adopt(self, gpu: str, fd: int, nbytes: int) -> Shared:
        """Return memory that another process has passed; OSError if that GPU is not seen here."""
        from tether.actors.cuda_memory import CudaMemory

        return CudaMemory.adopt(gpu, fd, nbytes)

    def flat(self, gpu: str, base: Any) -> Tensor:
        """Return the bytes that an object stands for, which lives as long as the tensor."""
        import torch

        return torch.as_tensor(base, device=_device(gpu))

    def fence(self, where: Tensor | str) -> Fence:
        """Return a fence behind all that a GPU was given, in the stream that is current."""
        import torch

        device = _device(where) if isinstance(where, str) else where.device
        return CudaFence(torch.cuda.current_stream(device))

    def down(self, tensor: Tensor, after: Fence, room: Tensor, region: Region | None) -> Fence:
        """Begin to copy a tensor, written before a fence, to flat bytes of the host's memory."""
        import torch

        assert isinstance(after, CudaFence)
        if region is not None:
            self._pin(region, tensor.device)
        side = self._side(tensor.device)
        side.wait_event(after.event)
        with torch.cuda.stream(side):
            room.copy_(tensor.reshape(-1).view(torch.uint8), non_blocking=True)
        fence = CudaFence(side)
        self.after(fence, tensor, room)
        return fence

    def up(self, tensor: Tensor, device: str, region: Region | None) -> tuple[Tensor, Fence | None]:
        """Return a tensor of the host's memory on a GPU, and until when it is still read there."""
        import torch

        there = torch.device(device)
        if there.type != "cuda" or region is None or not self._pin(region, there):
            return tensor.to(there), None  # from memory it does not know it is read before this
        side = self._side(there)
        with torch.cuda.stream(side):
            moved = tensor.to(there, non_blocking=True)
        fence = CudaFence(side)
        current = torch.cuda.current_stream(there)
        current.wait_event(fence.event)
        moved.record_stream(current)  # or its memory would be given out again too early
        self.after(fence, tensor)
        return moved, fence

    def _side(self, device: torch.device) -> torch.cuda.Stream:
        """Return the stream for copies from and to the host: they run beside the training."""
        import torch

        if device not in self._sides:
            self._sides[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        return self._sides[device]

    def _pin(self, region: Region, device: torch.device) -> bool:
        """Have memory known to the GPU, so that it copies without the CPU; tell whether it is."""
        if region.unpin is None and not region.unpinnable and self.gpu(device):
            from tether.actors.cuda_memory import pin

            try:
                region.unpin = pin(self.gpu(device), region.address, region.nbytes)
            except OSError as error:
                region.unpinnable = True
                log.warning("%d bytes could not be pinned: %s", region.nbytes, str(error))
        return region.unpin is not None

    def pinned(self, nbytes: int) -> Tensor:
        """Return flat bytes of the host's memory that a GPU copies to and from by itself."""
        import torch

        return torch.empty(nbytes, dtype=torch.uint8, pin_memory=True)

    def after(self, fence: Fence, *kept: Any) -> None:
        """Keep objects until a fence is passed: seen to whenever there is a new one."""
        self._kept.put((fence, kept))


def _device(gpu: str) -> torch.device:
    import torch

    from tether.actors.cuda_memory import ordinal

    return torch.device("cuda", ordinal(gpu))
