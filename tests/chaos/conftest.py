"""What the tests of chaos get: runs in real processes, which nobody has to clear away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.stage import Agent
from tether.runners.keys import write_keys

Start = Callable[..., Agent]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of the hosts of all tests."""
    folder = tmp_path_factory.mktemp("keys")
    folder.chmod(0o700)
    write_keys(folder, ["a", "b", "c"])
    return folder


@pytest.fixture
def up(keys: Path) -> Iterator[Start]:
    """Start a run: `up(wiring, *arguments, env={...})`; it is cleared away in the end."""
    agents: list[Agent] = []

    def start(wiring: str, *arguments: str, **given: Any) -> Agent:
        if "[hosts]" in wiring:
            given.setdefault("keys", keys)
        agents.append(Agent(wiring, *arguments, **given))
        return agents[-1]

    yield start
    for agent in agents:
        agent.clear()
