"""An audience to whom nothing matters."""

from __future__ import annotations

from collections.abc import Mapping

from tether.runners.restart import Restart


class Silence:
    """An audience that shows nothing."""

    def started(self, actor: str, pid: int) -> None:
        """See an actor made."""

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        """See a report."""

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002 - the unit
        """See what an actor has sent so far."""

    def queues(self, actor: str, waiting: int, held: int) -> None:
        """See what waits for an actor and because of one."""

    def ended(self, actor: str) -> None:
        """See an actor's `run()` end."""

    def down(self, actor: str, why: str, delay: float) -> None:
        """See an actor die."""

    def bereaved(self, actor: str, why: str, delay: float) -> None:
        """See a `run()` ended by the death of another."""

    def restarted(self, restart: Restart) -> None:
        """See an actor come back."""

    def gave_up(self, actor: str, why: str) -> None:
        """See an actor given up."""

    def unreachable(self, actor: str, why: str) -> None:
        """See an actor fall silent."""

    def reachable(self, actor: str) -> None:
        """See an actor well again."""

    def hung(self, actor: str, why: str) -> None:
        """See an actor hang."""

    def slow(self, actor: str, why: str) -> None:
        """See an actor slow."""

    def stalled(self, text: str, seconds: float) -> None:
        """See the end of a stall."""

    def joined(self, actor: str) -> None:
        """See an actor join."""

    def left(self, actor: str) -> None:
        """See an actor leave."""
