"""Who follows a run: a screen, the run's records, a test, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tether.runners.restart import Restart


class Audience(Protocol):
    """What a run tells of itself; all on the loop of its agent, none may wait."""

    def started(self, actor: str, pid: int) -> None:
        """See an actor made, for the first time or again, in the process of this id."""
        ...

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        """See what an actor reported `t` seconds after the start of the run."""
        ...

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002 - the unit
        """See what an actor has sent since it was made."""
        ...

    def queues(self, actor: str, waiting: int, held: int) -> None:
        """See messages waiting in its mailbox, and its own calls held back by full receivers."""
        ...

    def ended(self, actor: str) -> None:
        """See an actor's `run()` end."""
        ...

    def down(self, actor: str, why: str, delay: float) -> None:
        """See an actor dead that is restarted in `delay` seconds."""
        ...

    def bereaved(self, actor: str, why: str, delay: float) -> None:
        """See a `run()` ended by the death of another; it begins again in `delay` seconds."""
        ...

    def restarted(self, restart: Restart) -> None:
        """See a dead actor back."""
        ...

    def gave_up(self, actor: str, why: str) -> None:
        """See a dead actor that is not restarted any more."""
        ...

    def unreachable(self, actor: str, why: str) -> None:
        """See an actor silent that may be alive."""
        ...

    def reachable(self, actor: str) -> None:
        """See an actor well again that was unreachable, hung or slow."""
        ...

    def hung(self, actor: str, why: str) -> None:
        """See an actor whose process lives and whose event loop does not; it is left alone."""
        ...

    def slow(self, actor: str, why: str) -> None:
        """See an actor without a step for much longer than it usually takes."""
        ...

    def stalled(self, text: str, seconds: float) -> None:
        """See the end of a stall; `text` is the sentence: who held an event loop for how long."""
        ...

    def joined(self, actor: str) -> None:
        """See an actor become a member of its table while the run goes on."""
        ...

    def left(self, actor: str) -> None:
        """See an actor leave its table for good, or until it joins again."""
        ...
