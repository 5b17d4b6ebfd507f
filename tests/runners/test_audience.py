"""Whoever follows a run understands all of what it tells."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from tether.runners.audience import Audience, Silence
from tether.runners.progress import Progress
from tether.runners.recorder import Recorder
from tether.runners.restart import Restart

RESTART = Restart(1.0, "worker/0", 2, "killed", 0.1)


def told(cls: type[Any]) -> dict[str, inspect.Signature]:
    """Return what a class can be told: its public methods and what they take."""
    methods: dict[str, Callable[..., Any]] = dict(inspect.getmembers(cls, inspect.isfunction))
    return {name: inspect.signature(f) for name, f in methods.items() if not name.startswith("_")}


@pytest.mark.parametrize("cls", [Silence, Progress, Recorder])
def test_an_audience_takes_all_that_is_told_as_it_is_told(cls: type[Any]) -> None:
    takes = told(cls)

    assert told(Audience).items() <= takes.items()


def test_silence_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    nobody: Audience = Silence()

    nobody.started("worker/0", 1)
    nobody.reported("worker/0", 0.5, 1, {"loss": 1.0})
    nobody.traffic("worker/0", 1, 2)
    nobody.queues("worker/0", 1, 2)
    nobody.down("worker/0", "killed", 0.1)
    nobody.bereaved("worker/0", "killed", 0.1)
    nobody.restarted(RESTART)
    nobody.gave_up("worker/0", "why")
    nobody.unreachable("worker/0", "why")
    nobody.hung("worker/0", "why")
    nobody.slow("worker/0", "why")
    nobody.reachable("worker/0")
    nobody.stalled("worker/0: run() has held the event loop", 1.0)
    nobody.joined("worker/0")
    nobody.left("worker/0")
    nobody.ended("worker/0")

    assert capfd.readouterr() == ("", "")
