"""A model's loss as a pure function of one flat vector, for torch.func and for curvature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tether.protocols.vector import Parameters

Loss = Callable[[nn.Module, Any], Tensor]


class Objective(nn.Module):
    """`loss(model, batch)` as a module, so that its parameters can be replaced in a call."""

    def __init__(self, model: nn.Module, loss: Loss, parameters: Parameters) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        order = {id(p): place for place, p in enumerate(parameters.each)}
        named = [(name, order.get(id(p))) for name, p in self.named_parameters()]
        self.places = {name: place for name, place in named if place is not None}
        self.views = parameters.views

    def forward(self, batch: Any) -> Tensor:
        """Return the loss of a batch with the parameters that are in place."""
        return self.loss(self.model, batch)

    def value(self, at: Tensor, batch: Any) -> Tensor:
        """Return the loss at a flat vector, differentiable in it as often as the model is."""
        views = self.views(at)
        there = {name: views[place] for name, place in self.places.items()}
        value: Tensor = functional_call(self, there, (batch,))
        return value

    def hessian_product(self, at: Tensor, v: Tensor, batch: Any) -> Tensor:
        """Return H·v at a flat vector, by differentiating the gradient's product with v."""
        x = at.detach().requires_grad_()
        with torch.enable_grad():
            (g,) = torch.autograd.grad(self.value(x, batch), x, create_graph=True)
            if not g.requires_grad:  # the loss is linear in x
                return torch.zeros_like(x)
            (product,) = torch.autograd.grad(g, x, v, materialize_grads=True)
        return product
