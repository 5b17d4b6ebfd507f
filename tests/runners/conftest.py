"""What the tests of the running half get: runs in real processes, and where their actors are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.conftest import Start
from tests.chaos.stage import HERE, Agent


@pytest.fixture
def up() -> Iterator[Start]:
    """Start a run: `up(wiring, *arguments, env={...})`; it is cleared away in the end."""
    agents: list[Agent] = []

    def start(wiring: str, *arguments: str, env: dict[str, str] | None = None) -> Agent:
        agents.append(Agent(wiring, *arguments, env=env))
        return agents[-1]

    yield start
    for agent in agents:
        agent.clear()


@pytest.fixture
def players(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the module `players` found here and in the processes of a run; return its folder."""
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return HERE
