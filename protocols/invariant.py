"""What a protocol may have checked while it is simulated: something that always holds.

The invariants of `protocol.py` stand beside it, in `protocol_invariants.py`, as
`INVARIANTS = (Conservation,)`: classes that are made with a `View`, one object a simulation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol


class Life(NamedTuple):
    """One incarnation of an actor."""

    name: str
    incarnation: int


class Call(NamedTuple):
    """A message: who sent it to whom, which it is, and what it holds."""

    source: Life
    target: Life
    method: str
    args: tuple[Any, ...]


class View(Protocol):
    """What an invariant sees of a simulation."""

    @property
    def actors(self) -> Mapping[str, Any]:
        """All actors that live at the moment, as they are, by name."""
        ...

    def under_way(self) -> Iterator[Call]:
        """Yield the calls that were sent and are neither begun, dropped nor lost."""
        ...

    def unbegun(self) -> Iterator[Call]:
        """Yield the calls that were sent and are neither begun nor dropped: those, and the lost."""
        ...

    def leak(self, why: str, size: float) -> None:
        """Enter into the ledger of leaks what a fault has changed of what is conserved."""
        ...


class Invariant(Protocol):
    """Sees what happens, as it happens, and says at any moment whether it still holds."""

    def made(self, life: Life, actor: Any) -> None:
        """See an actor made, with the state it goes on from, before it does anything."""
        ...

    def before(self, name: str, work: str) -> None:
        """See a piece of an actor's heavy work begin, such as the `step` of its learner."""
        ...

    def after(self, name: str, work: str) -> None:
        """See it done."""
        ...

    def answered(self, call: Call, answer: Any) -> None:
        """See a message handled and answered; `args` is empty."""
        ...

    def check(self) -> str:
        """Return in one sentence what is wrong; nothing when all is as it has to be."""
        ...
