"""Whoever follows a run understands all of what it tells."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from tether.runners.audience import Audience
from tether.runners.progress import Progress
from tether.runners.recorder import Recorder
from tether.runners.silence import Silence


def told(cls: type[Any]) -> dict[str, inspect.Signature]:
    """Return what a class can be told: its public methods and what they take."""
    methods: dict[str, Callable[..., Any]] = dict(inspect.getmembers(cls, inspect.isfunction))
    return {name: inspect.signature(f) for name, f in methods.items() if not name.startswith("_")}


@pytest.mark.parametrize("cls", [Silence, Progress, Recorder])
def test_an_audience_takes_all_that_is_told_as_it_is_told(cls: type[Any]) -> None:
    takes = told(cls)

    assert told(Audience).items() <= takes.items()
