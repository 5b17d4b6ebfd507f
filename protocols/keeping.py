"""What of an actor outlives it: `state_dict` and `load_state_dict`, from a list of names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

State = dict[str, Any]


def kept(*names: str) -> tuple[Callable[[Any], State], Callable[[Any, State], None]]:
    """Return both methods for a class whose attributes of these names make up its state.

    `state_dict, load_state_dict = kept("x", "t")`. An attribute with a `state_dict` of its own is
    asked for it; a tensor is filled in place, anything else is replaced.
    """

    def state_dict(self: Any) -> State:
        """Return what a checkpoint keeps."""
        return {name: _state_of(getattr(self, name)) for name in names}

    def load_state_dict(self: Any, state: State) -> None:
        """Go on from a checkpoint."""
        for name in names:
            mine = getattr(self, name)
            if hasattr(mine, "load_state_dict"):
                mine.load_state_dict(state[name])
            elif isinstance(mine, Tensor):
                mine.copy_(state[name])
            else:
                setattr(self, name, state[name])

    return state_dict, load_state_dict


def _state_of(value: Any) -> Any:
    return value.state_dict() if hasattr(value, "state_dict") else value
