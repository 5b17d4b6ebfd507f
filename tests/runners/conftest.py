"""What the tests of the running half get: runs in real processes, and where their actors are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.conftest import keys, up
from tests.chaos.stage import HERE

__all__ = ["keys", "players", "up"]


@pytest.fixture
def players(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the module `players` found here and in the processes of a run; return its folder."""
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return HERE
