"""An actor that died and came back: what is told of it on a screen and in the summary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Restart:
    """One return of one actor, `t` seconds after the start of the run.

    `incarnation` is the new one; `downtime` is in seconds; `checkpoint` is the file it came back
    from, empty when it began afresh, and `step` the checkpoint's. What was handled and reported
    since then is rolled back. `in_place` when its process had gone on living.
    """

    t: float
    actor: str
    incarnation: int
    why: str
    downtime: float
    checkpoint: str = ""
    step: int = 0
    rolled_back_messages: int = 0
    rolled_back_steps: int = 0
    in_place: bool = False

    @property
    def origin(self) -> str:
        """What it came back with: `checkpoint worker-2.7 (step 120)`, or `afresh`."""
        if not self.checkpoint:
            return "afresh"
        step = f" (step {self.step:,})" if self.step else ""
        return f"checkpoint {self.checkpoint.removesuffix('.safetensors')}{step}"

    @property
    def rolled_back(self) -> str:
        """What is undone: `14 messages and 9 steps`, or `nothing`."""
        return rolled_back(self.rolled_back_messages, self.rolled_back_steps)

    @property
    def sentence(self) -> str:
        """The return as it is told when it happens."""
        origin = f"from {self.origin}" if self.checkpoint else self.origin
        back = f"{self.actor} is back, incarnation {self.incarnation}, {origin}"
        return f"{back}: {self.rolled_back} rolled back"


def rolled_back(messages: int, steps: int) -> str:
    """Return in words how many messages and steps are undone."""
    parts = [_amount(messages, "message"), _amount(steps, "step")]
    return " and ".join(filter(None, parts)) or "nothing"


def _amount(count: int, unit: str) -> str:
    if not count:
        return ""
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"
