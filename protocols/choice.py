"""Whether a peer sends, and to whom: drawn from numbers of its own, or one after the other."""

from __future__ import annotations

from hashlib import sha256
from typing import TypeVar

from tether.actors import Group
from tether.actors.chance import chance
from tether.protocols.keeping import kept

T = TypeVar("T")


class Random:
    """Draws from a group, each with the same chance.

    The draws are SHA-256 of a seed and a counter, which are all there is to keep: who goes on from
    a checkpoint draws on. Without a seed it is the acting actor's own, by the run's.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed, self.drawn = seed, 0

    def happens(self, p: float) -> bool:
        """Draw S ~ Bernoulli(p)."""
        return self._uniform() < p

    def one(self, peers: Group[T]) -> T:
        """Draw a member; raises IndexError when there is none."""
        if not len(peers):
            raise IndexError("the group is empty, so there is nobody to choose")
        return peers[int(self._uniform() * len(peers))]

    def _uniform(self) -> float:
        """Return the next number of 53 bits from 0 to below 1."""
        if self.seed is None:
            self.seed = chance().getrandbits(63)
        digest = sha256(f"{self.seed}/{self.drawn}".encode()).digest()
        self.drawn += 1
        return (int.from_bytes(digest[:8]) >> 11) / 2**53

    state_dict, load_state_dict = kept("seed", "drawn")


class Rotating(Random):
    """Takes the members of a group one after the other, again and again, beginning at `first`.

    On `["@peer[+1]", "@peer[+2]", "@peer[+4]"]` that is the one-peer exponential graph.
    """

    def __init__(self, first: int = 0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.place = first

    def one(self, peers: Group[T]) -> T:
        """Return the next member; raises IndexError when there is none."""
        if not len(peers):
            raise IndexError("the group is empty, so there is nobody to choose")
        self.place += 1
        return peers[(self.place - 1) % len(peers)]

    state_dict, load_state_dict = kept("seed", "drawn", "place")
