"""A model's parameters as one flat vector, of which the module's own tensors are views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Parameters:
    """The parameters of a model, moved into one flat vector x, and their gradient, as flat.

    They stay the objects they were, so optimizers, parameter groups and tied weights keep working.
    """

    def __init__(self, model: nn.Module) -> None:
        self.each = learnable(model)
        self.count = sum(p.numel() for p in self.each)
        self.dtype, self.device = self.each[0].dtype, self.each[0].device
        self.x = torch.empty(0)
        self._g: Tensor | None = None

    def settle(self, x: Tensor) -> None:
        """Have the parameters lie in x from now on, with the values they have."""
        self.x, self._home = x, self.views(x)
        for parameter, piece in zip(self.each, self._home, strict=True):
            piece.copy_(parameter.detach())
        self._point(self._home)

    def views(self, vector: Tensor) -> list[Tensor]:
        """Return the piece of a flat vector that belongs to each parameter, in its shape."""
        pieces = torch.split(vector, [p.numel() for p in self.each])
        return [piece.view(p.shape) for piece, p in zip(pieces, self.each, strict=True)]

    @contextmanager
    def at(self, vector: Tensor | None) -> Iterator[None]:
        """Have the parameters lie in another flat vector for a while; x is not touched."""
        if vector is None:
            yield
            return
        check_like("at", vector, self.x)
        self._point(self.views(vector))
        try:
            yield
        finally:
            self._point(self._home)

    def gradient(self) -> Tensor:
        """Return the gradient vector, made once, with every parameter's `.grad` a view of it."""
        if self._g is None:
            self._g = torch.zeros_like(self.x)
        for parameter, piece in zip(self.each, self.views(self._g), strict=True):
            parameter.grad = piece
        return self._g

    @contextmanager
    def unwritten(self) -> Iterator[None]:
        """Raise RuntimeError if somebody writes x during the block."""
        before = self._versions()
        yield
        if self._versions() != before:
            raise RuntimeError(
                "learner.x was written while a gradient at it ran; put what arrives aside and "
                "apply it when the gradient has been awaited"
            )

    def _versions(self) -> list[int]:
        return [tensor._version for tensor in (self.x, *self.each)]

    def _point(self, pieces: Sequence[Tensor]) -> None:
        for parameter, piece in zip(self.each, pieces, strict=True):
            parameter.data = piece


def learnable(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that training changes, in the module's order; tied ones come once."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    name = type(model).__name__
    if not parameters:
        raise ValueError(f"{name} has no parameter that requires a gradient, but one is wanted")
    kinds = sorted({f"{p.dtype} on {p.device}" for p in parameters})
    if len(kinds) > 1:
        raise ValueError(
            f"{name} has parameters of {' and '.join(kinds)}, where all are to be alike"
        )
    return parameters


def check_like(name: str, vector: Tensor, wanted: Tensor) -> None:
    """Raise ValueError unless a vector has the shape, dtype and device of the one it is for."""
    if _kind(vector) != _kind(wanted):
        raise ValueError(
            f"{name} does not fit: it is {_kind(vector)}, but {_kind(wanted)} is wanted"
        )


def _kind(vector: Tensor) -> str:
    return f"{vector.dtype} of shape {tuple(vector.shape)} on {vector.device}"
