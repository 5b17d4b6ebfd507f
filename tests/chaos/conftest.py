"""What the tests of chaos get: runs in real processes, which nobody has to clear away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.chaos.stage import Agent

Start = Callable[..., Agent]


@pytest.fixture
def up() -> Iterator[Start]:
    """Start a run: `up(wiring, *arguments, env={...})`; it is cleared away in the end."""
    agents: list[Agent] = []

    def start(wiring: str, *arguments: str, **given: Any) -> Agent:
        agents.append(Agent(wiring, *arguments, **given))
        return agents[-1]

    yield start
    for agent in agents:
        agent.clear()
