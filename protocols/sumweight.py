"""Sum-weights: averages by messages that nobody answers, each with a share of its sender's weight.

Kempe, Dobra & Gehrke, "Gossip-based computation of aggregate information", FOCS 2003. What is
conserved is Σ a and Σ a·x, over all peers and all that is under way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar

from torch import Tensor

from tether.actors import ActorGone, Group, oneway
from tether.actors.restoring import together
from tether.protocols.beginning import Beginner
from tether.protocols.elastic import check_finite
from tether.protocols.keeping import part
from tether.protocols.overlap import Waiting
from tether.protocols.vector import check_like

P = ParamSpec("P")
R = TypeVar("R")

LIGHTEST = 2.0**-500
"""The smallest weight that is given away: halved for ever, a float64 would become 0."""
Parcel: TypeAlias = tuple[Tensor, float, int]
"""What a peer j has sent: x_j, a_j, and its clock t_j."""
Push: TypeAlias = Callable[[Tensor, float, int], Awaitable[None]]
"""The message that takes a parcel."""


def merge(x: Tensor, a: float, x_j: Tensor, a_j: float) -> None:
    """Write the average of two flat vectors by their weights into x: (a_j x_j + a x) / (a_j + a).

    Each coordinate stays between the two; where a is 0, x becomes x_j to the bit.
    """
    x.lerp_(x_j.to(x.device), a_j / (a + a_j))


class Holder(Protocol):
    """Who has an x, and computes with it: a learner."""

    @property
    def x(self) -> Tensor:
        """The flat vector that is averaged."""
        ...

    async def compute(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function that looks at x."""
        ...


@dataclass
class Plain:
    """Holds an x without a learner, as a center's: what is done with it is done at once."""

    x: Tensor

    async def compute(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function that looks at x."""
        return function(*args, **kwargs)


class Weight:
    """A peer's weight a, float64, and the queue Q of what was sent to it and is not yet merged.

    Who comes into a run that goes on has no weight: the first x_j it is sent becomes its own. What
    is waited for room at others counts in `waiting`.
    """

    def __init__(self, a: float, holder: Holder, waiting: Waiting) -> None:
        if not (isfinite(a) and a > 0):
            raise ValueError(f"a is {a}, but a weight above 0 is wanted to begin with")
        self.a = a if together.get() else 0.0
        self.queue: list[Parcel] = []
        self.given = 0
        """How many parcels have been given away."""
        self._holder, self._waiting = holder, waiting

    @property
    def x(self) -> Tensor:
        """The vector that has the weight."""
        return self._holder.x

    def put(self, x: Tensor, a: float, t: int) -> None:
        """Queue a copy of what came; raises ValueError if it cannot be averaged with one's own."""
        check_like("the x of a push", x, self.x)
        check_finite("the x of a push", x)
        if not (isfinite(a) and a > 0):
            raise ValueError(f"a push came with the weight {a}, but one above 0 is wanted")
        self.queue.append((x.clone(), a, t))

    def pop(self, upto: int | None = None) -> Iterator[Parcel]:
        """Take out what is queued, the first first; with `upto` not what was sent after that."""
        place = 0
        while place < len(self.queue):
            if upto is None or self.queue[place][2] <= upto:
                yield self.queue.pop(place)
            else:
                place += 1

    async def give(self, a: float, t: int, push: Push) -> None:
        """Push a copy of x with this much of the weight, unless that is too light.

        It is one's own again if it reaches nobody. Raises ValueError when x is not finite.
        """
        if a < LIGHTEST:
            return
        await self._holder.compute(check_finite, "x", self.x)
        with self._taken(a):
            await self._waiting.on(push(self.x, a, t))
            self.given += 1

    @contextmanager
    def _taken(self, a: float) -> Iterator[None]:
        self.a -= a
        try:
            yield
        except ActorGone:  # it has left or will not come back, which is no failure of ours
            self.a += a
        except (Exception, CancelledError):
            self.a += a
            raise

    def state_dict(self) -> dict[str, Any]:
        """Return the weight, what is queued, and how often some was given away."""
        return {"a": self.a, "queue": list(self.queue), "given": self.given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with all others; one that comes back alone has lost its weight and its queue."""
        self.given = part(state, "given")
        if together.get():
            self.a = part(state, "a")
            self.queue = [(x, a, t) for x, a, t in part(state, "queue")]


class Weighed(Beginner, ABC):
    """A peer with a weight, which it leaves to another one when it leaves."""

    peers: Group[Any]
    own: Weight
    t: int
    steps: int

    @abstractmethod
    def process_messages(self, x: Tensor) -> None:
        """Merge what is queued into x."""

    @oneway
    async def push(self, x: Tensor, a: float, t: int) -> None:
        """Queue what another one has given away; who makes no steps merges it at once."""
        self.own.put(x, a, t)
        if self.t >= self.steps or self.beginning.waits:
            self.beginning.placed = True  # or else its x would be overwritten when it begins
            await self.learner.apply(self.process_messages)

    async def leaving(self) -> None:
        """Push the whole weight to the first peer that can be reached."""
        await self.learner.apply(self.process_messages)
        for j in self.peers:  # once it has reached one there is none left
            await self.own.give(self.own.a, self.t, j.push)
