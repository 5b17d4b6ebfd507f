"""From where a run goes on, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tether.runners.process import Restore

Outcome = Literal["finished", "stopped", "interrupted", "failed"]


@dataclass(slots=True)
class Result:
    """How a run ended: the outcome, its reason, and every actor's record."""

    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What else went wrong, as states that could not be saved."""


@dataclass(frozen=True, slots=True)
class Start:
    """From where a run goes on: nothing, or an earlier one's incarnations and checkpoints."""

    incarnations: Mapping[str, int] = field(default_factory=dict)
    restore: Restore = field(default_factory=dict)
    alone: Sequence[str] = ()
    """Who was not there at the moment from which all others go on."""
    round: int = 0
    seconds: float = 0.0
