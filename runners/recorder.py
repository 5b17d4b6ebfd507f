"""What a run's records are made of: everything it tells is written down and passed on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tether.runners.audience import Audience
from tether.runners.metrics import MetricsFile
from tether.runners.restart import Restart
from tether.runners.summary import Change, Queue, Stall


class Recorder:
    """Writes down what a run tells of itself, and passes it on to whoever shows it.

    `clock` gives the seconds since the start of the run, for what comes without a time of its own;
    by default they go on from the last report the metrics already had.
    """

    def __init__(
        self, metrics: MetricsFile, show: Audience, clock: Callable[[], float] | None = None
    ) -> None:
        begun = time.monotonic() - metrics.last_t
        self.metrics = metrics
        self.show = show
        self.accuracy: float | None = None
        self.restarts: list[Restart] = []
        self.gave_up_on: dict[str, str] = {}
        self.stalls: list[Stall] = []
        self.membership: list[Change] = []
        self.peaks: dict[str, Queue] = {}
        self._clock = clock or (lambda: time.monotonic() - begun)

    def started(self, actor: str, pid: int) -> None:
        """See an actor made."""
        self.show.started(actor, pid)

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        """Write a report down."""
        self.metrics.append(t, actor, step, metrics)
        self.accuracy = metrics.get("accuracy", self.accuracy)
        self.show.reported(actor, t, step, metrics)

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002 - the unit
        """See what an actor has sent so far."""
        self.metrics.flush()
        self.show.traffic(actor, messages, bytes)

    def queues(self, actor: str, waiting: int, held: int) -> None:
        """Keep the longest queues."""
        peak = self.peaks.get(actor, Queue())
        self.peaks[actor] = Queue(max(peak.waiting, waiting), max(peak.held, held))
        self.show.queues(actor, waiting, held)

    def ended(self, actor: str) -> None:
        """See an actor's `run()` end."""
        self.show.ended(actor)

    def down(self, actor: str, why: str, delay: float) -> None:
        """See an actor die."""
        self.show.down(actor, why, delay)

    def bereaved(self, actor: str, why: str, delay: float) -> None:
        """See a `run()` ended by the death of another."""
        self.show.bereaved(actor, why, delay)

    def restarted(self, restart: Restart) -> None:
        """Keep a restart, and write down what it undoes as a report of the actor."""
        self.restarts.append(restart)
        undone = {
            "rolled_back": restart.rolled_back_messages,
            "rolled_back_steps": restart.rolled_back_steps,
            "incarnation": restart.incarnation,
        }
        self.metrics.append(restart.t, restart.actor, restart.step or None, undone)
        self.show.restarted(restart)

    def gave_up(self, actor: str, why: str) -> None:
        """Keep why an actor was given up."""
        self.gave_up_on[actor] = why
        self.show.gave_up(actor, why)

    def unreachable(self, actor: str, why: str) -> None:
        """See an actor fall silent."""
        self.show.unreachable(actor, why)

    def reachable(self, actor: str) -> None:
        """See an actor well again."""
        self.show.reachable(actor)

    def hung(self, actor: str, why: str) -> None:
        """See an actor hang."""
        self.show.hung(actor, why)

    def slow(self, actor: str, why: str) -> None:
        """See an actor slow."""
        self.show.slow(actor, why)

    def stalled(self, text: str, seconds: float) -> None:
        """Keep a stall."""
        self.stalls.append(Stall(text, seconds))
        self.show.stalled(text, seconds)

    def joined(self, actor: str) -> None:
        """Keep when an actor joined."""
        self.membership.append(Change(self._clock(), actor, "joined"))
        self.show.joined(actor)

    def left(self, actor: str) -> None:
        """Keep when an actor left."""
        self.membership.append(Change(self._clock(), actor, "left"))
        self.show.left(actor)
