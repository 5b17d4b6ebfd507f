"""Peers that gossip, as plain objects: what the tests of all gossip protocols begin with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from tether.actors import Group
from tether.protocols.choice import Random
from tether.protocols.gosgd import Peer
from tether.protocols.quadratic import Quadratic
from tether.protocols.sumweight import Weighed


def still(x: Sequence[float] | float, eta: float = 0.0, sigma: float = 0.0) -> Quadratic:
    """Return a learner of float64 that stands at x, and stays there when η is 0."""
    values = [x] if isinstance(x, float) else list(x)
    made = Quadratic(len(values), eta, 1.0, sigma, optimum=0.0, start=1.0, seed=0)
    made.x.copy_(torch.tensor(values, dtype=torch.float64))
    return made


def peers(
    *xs: float, p: float = 0.0, steps: int = 0, eta: float = 0.0, choice: Any = None
) -> list[Peer]:
    """Return peers on the complete graph, each at its x."""
    made = [
        Peer(Group(), still(x, eta), len(xs), p, steps, choice=choice or Random(seed=i))
        for i, x in enumerate(xs)
    ]
    for one in made:
        one.peers = Group([other for other in made if other is not one])
    return made


async def push(i: Peer, j: Peer, *, whole: bool = False) -> None:
    """Have i push to j, which merges what it has."""
    await i.own.give(i.own.a if whole else i.own.a / 2, i.t, j.push)
    await merge(j)


async def merge(j: Peer) -> None:
    """Have a peer merge all that is queued."""
    await j.learner.apply(j.process_messages)


def totals(made: Sequence[Weighed]) -> tuple[Fraction, list[Fraction]]:
    """Return Σ a and Σ a·x of all peers and of what they have queued, exactly."""
    held = [(each.own.a, each.learner.x) for each in made]
    held += [(a, x) for each in made for x, a, _ in each.own.queue]
    return sum((Fraction(a) for a, _ in held), Fraction(0)), [
        sum((Fraction(a) * Fraction(x[k].item()) for a, x in held), Fraction(0))
        for k in range(len(made[0].learner.x))
    ]


async def until(true: Callable[[], bool]) -> None:
    """Let all others run until something is true."""
    while not true():  # noqa: ASYNC110 - what it waits for sets no Event
        await asyncio.sleep(0)


async def run_all(made: Sequence[Peer]) -> list[Tensor]:
    """Have all run at once; return where they end."""
    await asyncio.gather(*(each.run() for each in made))
    for each in made:
        await merge(each)
    return [each.learner.x.clone() for each in made]
