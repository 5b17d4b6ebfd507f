"""A state as it is at one moment, copied so fast that the event loop hardly notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tether.actors import tensors

Place = tuple[Any, ...]
"""Where a tensor stands in a state: the keys and positions that lead to it."""


class Snapshot:
    """Copies of a state's tensors and arrays, in memory that is used again and again.

    The first touch of fresh pages costs many times a copy. So `prepare` makes the memory, in a
    thread; `take` copies, in the loop; a thread writes what was taken, and ends with `release`.
    """

    def __init__(self) -> None:
        self.busy = False
        """Whether what was taken is still in use, so that nothing else can be."""
        self._kept: dict[Place, Any] = {}

    def prepare(self, state: Any) -> None:
        """Make and touch memory for every tensor of a state, and let go of what it needs no more.

        Reads shapes and types only, so the state may be in use meanwhile.
        """
        kept: dict[Place, Any] = {}

        def room(place: Place, value: Any) -> None:
            mine = self._kept.get(place)
            kept[place] = mine if _fits(mine, value) else _room(value, touched=True)

        _copied(state, (), room)
        self._kept = kept

    def take(self, state: Any) -> Any:
        """Return the state with its tensors copied to the CPU and its lists and dicts made anew.

        What was not prepared is copied into fresh memory. Raises RuntimeError while `busy`.
        """
        if self.busy:
            raise RuntimeError(
                "a snapshot was to be taken while the last one is still being written, but its "
                "memory holds one at a time"
            )

        def filled(place: Place, value: Any) -> Any:
            mine = self._kept.get(place)
            return _filled(mine if _fits(mine, value) else _room(value), value)

        taken = _copied(state, (), filled)
        self.busy = True
        return taken

    def release(self) -> None:
        """Give the memory of what was taken back for the next `take`."""
        self.busy = False


def _copied(tree: Any, place: Place, leaf: Callable[[Place, Any], Any]) -> Any:
    """Return a tree with fresh dicts, lists and tuples, its tensors and arrays given by `leaf`.

    What could not be kept in a file anyway stays what it is, and is refused there by name.
    """
    if isinstance(tree, dict):
        return {key: _copied(value, (*place, key), leaf) for key, value in tree.items()}
    if type(tree) in {list, tuple}:
        return type(tree)(_copied(value, (*place, i), leaf) for i, value in enumerate(tree))
    return leaf(place, tree) if _dense(tree) else tree


def _dense(value: Any) -> bool:
    if tensors.is_tensor(value):
        import torch

        return value.layout is torch.strided and not value.is_quantized
    return tensors.is_array(value) and value.dtype.kind in tensors.ARRAY_KINDS


def _fits(mine: Any, value: Any) -> bool:
    alike = mine is not None and tensors.is_tensor(mine) == tensors.is_tensor(value)
    return alike and (mine.shape, mine.dtype) == (value.shape, value.dtype)


def _room(value: Any, *, touched: bool = False) -> Any:
    """Return memory for a tensor or an array; for a GPU's, such as it copies into directly."""
    if tensors.is_tensor(value):
        import torch

        make = torch.zeros if touched else torch.empty
        pinned = touched and value.is_cuda
        memory = make(value.numel() * value.itemsize, dtype=torch.uint8, pin_memory=pinned)
        return memory.view(value.dtype).view(value.shape)
    import numpy as np

    room = np.empty(value.shape, value.dtype)
    if touched:
        room.fill(0)
    return room


def _filled(mine: Any, value: Any) -> Any:
    if tensors.is_tensor(value):
        return mine.copy_(value.detach())
    mine[...] = value
    return mine
