"""What is known of one actor while a run goes on: its state, pace and queues."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

WINDOW = 10.0
"""Rates are over the last so many seconds."""
SMOOTHING = 0.9
"""How much of a smoothed loss the next report leaves in place."""
CALM = ("starting", "running", "ended")
"""Kinds of state that come to every actor; the others are worth showing."""

Life = Literal["starting", "running", "restarting", "given up", "left", "ended"]
Health = Literal["well", "unreachable", "hung", "slow"]


@dataclass(slots=True)
class Rate:
    """How fast a total grows, over the last ten seconds; a smaller total is a fresh start."""

    points: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, t: float, total: float) -> None:
        """Take note of the total at a time, in seconds."""
        if self.points and total < self.points[-1][1]:
            self.points.clear()
        self.points.append((t, total))
        while len(self.points) > 2 and self.points[0][0] < t - WINDOW:
            self.points.popleft()

    @property
    def per_second(self) -> float:
        """The growth a second; 0 while there is only one point in time."""
        if not self.points:
            return 0.0
        (start, before), (end, after) = self.points[0], self.points[-1]
        return (after - before) / (end - start) if end > start else 0.0


@dataclass(slots=True)
class Row:
    """What is known of one actor.

    `since` is when it fell ill or, of a dead one, when it is due to be restarted.
    """

    actor: str
    pid: int | None = None
    life: Life = "starting"
    health: Health = "well"
    why: str = ""
    since: float = 0.0
    restarts: int = 0
    step: int = 0
    loss: float = math.nan
    accuracy: float = math.nan
    waiting: int = 0
    held: int = 0
    longest: int = 0
    longest_held: int = 0
    steps: Rate = field(default_factory=Rate)
    messages: Rate = field(default_factory=Rate)
    bytes: Rate = field(default_factory=Rate)

    @property
    def table(self) -> str:
        """The table of the wiring this actor is one of."""
        return self.actor.partition("/")[0]

    @property
    def running(self) -> bool:
        """Whether it is alive and its `run()` has not ended."""
        return self.life == "running"

    @property
    def moving(self) -> bool:
        """Whether it gets on: the pace of one that does not is an old one."""
        return self.running and self.health not in ("unreachable", "hung")

    @property
    def kind(self) -> Life | Health:
        """Its state in a word: how it is if it lives and is not well, else where in life it is."""
        ill = self.health != "well" and self.life in ("running", "ended")
        return self.health if ill else self.life

    def state(self, now: float) -> str:
        """Return its state as it is shown: `unreachable 12 s`, `hung: Center.block`."""
        kind = self.kind
        if kind == "restarting":
            left = round(self.since - now)
            return f"restarting in {left} s" if left > 0 else "restarting"
        if kind == "unreachable":
            return f"unreachable {now - self.since:.0f} s"
        if kind in ("hung", "slow") and self.why:
            return f"{kind}: {self.why.partition(' has held ')[0]}"
        return kind

    def begin(self, life: Life) -> None:
        """Enter another part of its life, in which it is well and nothing waits yet."""
        self.life, self.health = life, "well"
        self.waiting = self.held = 0

    def end(self) -> None:
        """Take note of the end of its `run()`, or of its process when it was to be restarted."""
        if self.life not in ("given up", "left"):
            self.life = "ended"

    def fall_ill(self, health: Health, why: str, now: float) -> bool:
        """Take note of what is wrong with it; return whether that is news."""
        news = self.health != health
        if news:
            self.since = now
        self.health, self.why = health, why.removeprefix(f"{self.actor}: ")
        return news

    def take(self, t: float, step: int | None, metrics: Mapping[str, float]) -> None:
        """Take note of one report: whoever makes one is neither hung nor slow."""
        if self.health in ("hung", "slow"):
            self.health = "well"
        if step is not None:
            self.step = step
            self.steps.add(t, step)
        if "loss" in metrics:
            loss = metrics["loss"]
            known = math.isfinite(self.loss)
            self.loss = self.loss + (1 - SMOOTHING) * (loss - self.loss) if known else loss
        self.accuracy = metrics.get("accuracy", self.accuracy)

    def queue(self, waiting: int, held: int) -> None:
        """Take note of what waits for it, and of its own calls that are held back."""
        self.waiting, self.held = waiting, held
        self.longest, self.longest_held = max(self.longest, waiting), max(self.longest_held, held)
