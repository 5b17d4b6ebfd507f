"""What a simulated run tells of itself, kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tether.runners.restart import Restart
from tether.runners.silence import Silence
from tether.runners.summary import Change, Queue


class Report(NamedTuple):
    """What an actor reported: when, in seconds, its step if it named one, and its metrics."""

    t: float
    actor: str
    step: int | None
    metrics: Mapping[str, float]


class Span(NamedTuple):
    """A time in which an actor was not as usual: dead, or silent."""

    actor: str
    what: str
    begins: float
    ends: float


class Tally(Silence):
    """Gathers reports, restarts and the like; `returned` is told of each restart at once."""

    def __init__(
        self, now: Callable[[], float], returned: Callable[[Restart], None], *, every: bool = True
    ) -> None:
        self.every = every
        """Whether all reports are kept, or only the first and the last loss of each actor."""
        self.reports: list[Report] = []
        self.first: dict[str, Report] = {}
        self.last: dict[str, Report] = {}
        """The first and the last report with a loss, by actor."""
        self.restarts: list[Restart] = []
        self.gave_up_on: dict[str, str] = {}
        self.membership: list[Change] = []
        self.peaks: dict[str, Queue] = {}
        self.spans: list[Span] = []
        self._now = now
        self._returned = returned
        self._since: dict[tuple[str, str], float] = {}

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        """Keep a report."""
        report = Report(t, actor, step, metrics)
        if "loss" in metrics:
            self.first.setdefault(actor, report)
            self.last[actor] = report
        if self.every:
            self.reports.append(report)

    def queues(self, actor: str, waiting: int, held: int) -> None:
        """Keep the longest queues."""
        peak = self.peaks.get(actor, Queue())
        self.peaks[actor] = Queue(max(peak.waiting, waiting), max(peak.held, held))

    def down(self, actor: str, why: str, delay: float) -> None:  # noqa: ARG002 - an Audience's
        """See an actor die."""
        self._since.setdefault((actor, "down"), self._now())

    def restarted(self, restart: Restart) -> None:
        """Keep a restart."""
        self.restarts.append(restart)
        self._over(restart.actor, "down")
        self._returned(restart)

    def gave_up(self, actor: str, why: str) -> None:
        """Keep why an actor was given up."""
        self.gave_up_on[actor] = why
        self._since.setdefault((actor, "down"), self._now())

    def unreachable(self, actor: str, why: str) -> None:  # noqa: ARG002 - an Audience's
        """See an actor fall silent."""
        self._since.setdefault((actor, "unreachable"), self._now())

    def reachable(self, actor: str) -> None:
        """See an actor well again."""
        self._over(actor, "unreachable")

    def joined(self, actor: str) -> None:
        """Keep when an actor joined."""
        self.membership.append(Change(self._now(), actor, "joined"))

    def left(self, actor: str) -> None:
        """Keep when an actor left."""
        self.membership.append(Change(self._now(), actor, "left"))

    def _over(self, actor: str, what: str) -> None:
        if (actor, what) in self._since:
            begun = self._since.pop((actor, what))
            self.spans.append(Span(actor, what, begun, self._now()))

    def end(self) -> None:
        """Close what is still open."""
        for open_ in list(self._since):
            self._over(*open_)
