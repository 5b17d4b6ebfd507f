"""What of an actor outlives it: `state_dict` and `load_state_dict`, from a list of names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

State = dict[str, Any]


def kept(*names: str) -> tuple[Callable[[Any], State], Callable[[Any, State], None]]:
    """Return both methods for a class whose attributes of these names make up its state.

    `state_dict, load_state_dict = kept("x", "t")`. An attribute with a `state_dict` of its own is
    asked for it; a tensor is filled in place by one like it, anything else is replaced.
    """

    def state_dict(self: Any) -> State:
        """Return what a checkpoint keeps."""
        return {name: _state_of(getattr(self, name)) for name in names}

    def load_state_dict(self: Any, state: State) -> None:
        """Go on from a checkpoint."""
        for name in names:
            mine, came = getattr(self, name), part(state, name)
            if hasattr(mine, "load_state_dict"):
                mine.load_state_dict(came)
            elif isinstance(mine, Tensor):
                fill(name, mine, came)
            else:
                setattr(self, name, came)

    return state_dict, load_state_dict


def part(state: State, name: str) -> Any:
    """Return what a checkpoint keeps under a name; raises ValueError naming what there is."""
    if name not in state:
        there = ", ".join(state) or "nothing"
        raise ValueError(f"{name}: the checkpoint has no such part; it has {there}")
    return state[name]


def fill(name: str, mine: Tensor, came: Any) -> None:
    """Copy a checkpoint's tensor into one's own, on any device; raises ValueError unless alike."""
    if _kind(came) != _kind(mine):
        raise ValueError(f"{name}: a checkpoint of {_kind(came)} came, but {_kind(mine)} is wanted")
    mine.copy_(came)


def _kind(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"shape {tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')}"


def _state_of(value: Any) -> Any:
    return value.state_dict() if hasattr(value, "state_dict") else value
