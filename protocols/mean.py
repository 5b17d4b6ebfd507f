"""The mean of what all peers have: the model that gossip gives away, for there is no center."""

from __future__ import annotations

import torch
from torch import Tensor

from tether.actors import Group
from tether.protocols.evaluator import Source


class Mean:
    """Gives away (1/M)·Σ xⁱ of those who are there, summed up in float64; an evaluator asks it."""

    def __init__(self, peers: Group[Source]) -> None:
        self.peers = peers

    async def pull(self) -> Tensor:
        """Return the mean as it is now; one after the other is added, so few are held at once."""
        total, count = None, 0
        async for x in self.peers.stream(Source.pull):
            wide = x.to("cpu", torch.float64)
            total, count = wide if total is None else total + wide, count + 1
        if total is None:
            raise ValueError("there are no peers, but the mean of one or more is wanted")
        return (total / count).to(x.dtype)
