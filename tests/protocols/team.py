"""Workers that average, as plain objects: no framework runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from tether.actors import Group
from tether.actors.state import dump, load
from tether.protocols.aggregator import Aggregator
from tether.protocols.learner import Learner
from tether.protocols.local_sgd import Worker

STEP_LIMIT = 60.0


class Point(nn.Module):
    """Some numbers to be learned."""

    def __init__(self, start: Sequence[float]) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(start, dtype=torch.float64))


def squares(
    batches: Sequence[Sequence[float]],
    start: Sequence[float] = (0.0,),
    eta: float = 0.125,
    **options: Any,
) -> Learner:
    """Return a learner of ‖x − batch‖²/2: integers and an η of 2⁻ᵏ give dyadic numbers only."""
    model = Point(start)

    def f(model: nn.Module, batch: Tensor) -> Tensor:
        return ((model.get_parameter("x") - batch) ** 2).sum() / 2

    given = [torch.tensor(batch, dtype=torch.float64) for batch in batches]
    optimizer = torch.optim.SGD(model.parameters(), lr=eta, **options)
    return Learner(model, f, given, optimizer)


class Team:
    """An aggregator and its workers, made as a wiring would make them."""

    def __init__(
        self,
        learners: Sequence[Learner],
        H: Any,
        steps: int,
        *,
        aggregator: Callable[..., Any] = Aggregator,
        worker: Callable[..., Any] = Worker,
        start: Tensor | None = None,
        given: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        c = learners[0].x if start is None else start
        self.aggregator = aggregator(c, Group(), H, **(given or {}))
        self.workers = [worker(self.aggregator, None, each, steps, **options) for each in learners]
        for each in self.workers:
            each.share.me = each
        self.aggregator.workers = Group(self.workers)

    async def run(self, steps: int | None = None) -> Team:
        """Let all workers run to their end, or to another step; return the team."""
        for each in self.workers:
            each.steps = each.steps if steps is None else steps
        await asyncio.gather(*(each.run() for each in self.workers))
        return self

    @property
    def xs(self) -> list[Tensor]:
        """The parameters of each worker."""
        return [each.learner.x for each in self.workers]

    @property
    def c(self) -> Tensor:
        """The consensus."""
        c: Tensor = self.aggregator.c
        return c

    def saved(self) -> list[bytes]:
        """Return the states of all, as a checkpoint keeps them."""
        return [dump(each.state_dict()) for each in (self.aggregator, *self.workers)]

    def restored(self, states: Sequence[bytes]) -> Team:
        """Go on from states; who has none begins afresh."""
        for each, state in zip((self.aggregator, *self.workers), states, strict=False):
            each.load_state_dict(load(state))
        return self


def exactly(x: Tensor) -> list[Fraction]:
    """Return the numbers of a tensor as they are."""
    return [Fraction(value) for value in x.tolist()]
