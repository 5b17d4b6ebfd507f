"""What a process asks of its GPUs: memory that others can map, copies beside its work, fences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tether.actors.cuda import Cuda

if TYPE_CHECKING:
    from torch import Tensor

    from tether.actors.region import Region


class Fence(Protocol):
    """A place in the work that was given to a GPU: passed once all before it is done."""

    @property
    def passed(self) -> bool:
        """Whether it is passed, without waiting."""
        ...

    def wait(self) -> None:
        """Block this thread until it is passed; raises RuntimeError if the work has failed."""
        ...


class Shared(Protocol):
    """Memory that other processes map by a file descriptor, and let go of as its owner does."""

    @property
    def fd(self) -> int:
        """What is passed to them."""
        ...

    @property
    def address(self) -> int:
        """Where it begins here."""
        ...

    @property
    def nbytes(self) -> int:
        """How large it is."""
        ...


class Accelerator(Protocol):
    """The GPUs that one process sees. A GPU is named alike in all processes, by what it is."""

    def holds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor lies on a GPU."""
        ...

    def gpu(self, device: Any) -> str:
        """Return the name of a device whose memory others can map; empty where none can."""
        ...

    def create(self, gpu: str, nbytes: int) -> Shared:
        """Return new memory of a GPU; OSError when there is no more of it."""
        ...

    def adopt(self, gpu: str, fd: int, nbytes: int) -> Shared:
        """Return memory that another process has passed; OSError if that GPU is not seen here."""
        ...

    def flat(self, gpu: str, base: Any) -> Tensor:
        """Return the bytes that an object stands for, which lives as long as the tensor."""
        ...

    def fence(self, where: Tensor | str) -> Fence:
        """Return a fence behind all that a GPU was given, in the stream that is current.

        The GPU is that of a tensor, or the one of this name.
        """
        ...

    def down(self, tensor: Tensor, after: Fence, room: Tensor, region: Region | None) -> Fence:
        """Begin to copy a tensor, written before a fence, to flat bytes of the host's memory."""
        ...

    def up(self, tensor: Tensor, device: str, region: Region | None) -> tuple[Tensor, Fence | None]:
        """Return a tensor of the host's memory on a GPU, and until when it is still read there.

        The fence is None if it is not read any more. `region` is the memory that it lies in.
        """
        ...

    def pinned(self, nbytes: int) -> Tensor:
        """Return flat bytes of the host's memory that a GPU copies to and from by itself."""
        ...

    def after(self, fence: Fence, *kept: Any) -> None:
        """Keep objects until a fence is passed."""
        ...


here: Accelerator = Cuda()
"""That of this process."""
