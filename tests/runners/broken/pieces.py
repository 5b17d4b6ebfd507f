"""Actors and factories that the broken wirings name; most of them are sound."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tether.actors.group import Group
from tether.actors.handlers import batched
from tether.actors.ref import Ref

if TYPE_CHECKING:
    from torch import Tensor


class Rule(Enum):
    """How buffers travel."""

    COPY = "copy"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A learning rate and how it falls."""

    lr: float
    steps: tuple[int, ...] = ()
    pair: tuple[int, str] = (0, "")
    table: dict[int, int] | None = None


class Center:
    def __init__(self, alpha: float = 0.5, x: Any = None) -> None:
        self.alpha = alpha
        self.x = x

    async def exchange(self, x: float) -> float:
        return self.alpha * x


class Worker:
    def __init__(
        self,
        center: Ref[Center],
        tau: int = 10,
        learner: Learner | None = None,
        rule: Rule = Rule.COPY,
        mode: Literal["atomic", "paper"] = "atomic",
        schedule: Schedule | None = None,
        folder: Path | None = None,
        names: list[str] | None = None,
        rate: float | str = 0.1,
        tensor: Tensor | None = None,
    ) -> None:
        self.center = center

    async def run(self) -> None:
        await self.center.exchange(1.0)


class Peer:
    def __init__(self, others: Group[Peer]) -> None:
        self.others = others

    async def push(self, x: float) -> None: ...


class Learner:
    def __init__(self, shard: int, device: str = "cpu") -> None:
        self.shard = shard


def learner(shard: int) -> Learner:
    return Learner(shard)


def number() -> int:
    return 7


async def later() -> Learner:
    return Learner(0)


def shares(share: str) -> Learner:
    return Learner(len(share))


def fails(shard: int) -> Learner:
    raise ValueError(f"there is no shard {shard}")


LIMIT = 3


class Abstract(ABC):
    @abstractmethod
    async def step(self) -> None: ...


class Silent:
    def exchange(self) -> None: ...


class Sync:
    def run(self) -> None: ...


class Sudden(Center):
    def down(self, peer: Any, why: Exception) -> None: ...


class Curt(Center):
    async def joined(self) -> None: ...


class Remaining(Center):
    left = 3


class Yields:
    async def ask(self) -> int:
        return 1

    async def stream(self) -> AsyncIterator[int]:
        yield 1


class Selfless:
    async def exchange() -> None: ...  # type: ignore[misc]


class Unbatched:
    @batched()  # type: ignore[arg-type]
    async def predict(self) -> list[int]:
        return []


class Reserved:
    def __init__(self, on: str) -> None:
        self.on = on

    async def run(self) -> None: ...


class Positional:
    def __init__(self, x: int, /) -> None:
        self.x = x

    async def run(self) -> None: ...
