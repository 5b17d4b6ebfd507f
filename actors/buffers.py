"""Tensors in transport memory: sent without a copy, given back when nobody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tether.actors.context import acting

if TYPE_CHECKING:
    from torch import Tensor, dtype


def buffer(shape: int | tuple[int, ...], dtype: dtype | None = None) -> Tensor:
    """Return an uninitialised tensor in transport memory, on the acting actor's device.

    An ask lends it in place instead of copying it, and an answer that lies in one made by the same
    handler needs no snapshot. `dtype` defaults to torch's default. Outside an actor it is ordinary
    memory.
    """
    import torch

    dtype = dtype or torch.get_default_dtype()
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    here = acting.get()
    if here is None:
        return torch.empty(shape, dtype=dtype)
    nbytes = dtype.itemsize * _count(shape)
    if here.cell.device != "cpu":
        room = here.cell.pool.take_on(here.cell.device, max(nbytes, 1))
        if room is None:
            room = torch.empty(nbytes, dtype=torch.uint8, device=here.cell.device)
        here.gave(room.untyped_storage().data_ptr())
        return room[:nbytes].view(dtype).view(shape)
    memory = here.cell.pool.take(max(nbytes, 1))
    here.gave(memory.ctypes.data)
    return torch.from_numpy(memory)[:nbytes].view(dtype).view(shape)


def lent(tensor: Tensor) -> bool:
    """Tell whether a message may still read this tensor, so that it must not be written."""
    here = acting.get()
    return here is not None and here.cell.pool.is_lent(tensor.untyped_storage().data_ptr())


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
