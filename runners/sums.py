"""What many simulated seeds found, added up."""

from __future__ import annotations

from collections import Counter

from tether.runners.findings import Findings


class Sums:
    """What many seeds found, added up."""

    def __init__(self) -> None:
        self.seeds = 0
        self.seconds = 0.0
        self.restarts = 0
        self.leaks = 0
        self.broken: list[int] = []
        self.messages: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    def add(self, findings: Findings) -> None:
        """Add what one seed found."""
        self.seeds += 1
        self.seconds += findings.seconds
        self.restarts += findings.restarts
        self.leaks += findings.leaks
        self.messages.update(findings.messages)
        self.faults.update(findings.faults)
        self.outcomes[findings.outcome] += 1
        if findings.broken:
            self.broken.append(findings.seed)

    def text(self, real: float) -> str:
        """Return the sums in words."""
        faults = ", ".join(f"{count:,} × {kind}" for kind, count in self.faults.items()) or "none"
        outcomes = ", ".join(f"{count:,} {what}" for what, count in self.outcomes.items())
        held = "all promises held" if not self.broken else f"{len(self.broken)} broke a promise"
        return (
            f"{self.seeds:,} seeds: {held}\n"
            f"{outcomes}; {self.seconds:,.0f} s of virtual time in {real:,.1f} s\n"
            f"{self.messages['sent']:,} messages, {self.messages['handled']:,} handled; "
            f"faults: {faults}; {self.restarts:,} restarts, {self.leaks:,} leaks"
        )
