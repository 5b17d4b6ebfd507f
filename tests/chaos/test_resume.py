"""A run of which everything was killed goes on: bit for bit, or with more or fewer workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.books import assert_accounted, beginnings
from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, FAST, HERE, WORKERS, Agent, until
from tether.runners.folder import final_state
from tether.runners.world import World

STEPS = 2000
LEARNED = 400
LEARNING = FAST.replace("checkpoint = 0.2", "checkpoint = 0.1") + (
    "seed = 3\n"
    '[center]\nactor = "tether.protocols.easgd:Center"\nalpha = 0.5\n'
    'x = { make = "learned:start", n = 146 }\n'
    '[worker]\nactor = "tether.protocols.easgd:Worker"\ncenter = "@center"\n'
    'learner = { make = "learned:small", seed = "$seed" }\n'
    f"tau = 3\ndelta = 0.5\nsteps = {LEARNED}\n"
)
COUNTED = FAST + CENTER + WORKERS + f"pause = 0.003\nsteps = {STEPS}\n"


def kill_after(agent: Agent, rounds: int, *actors: str) -> None:
    """Kill everything once each of these actors has come to some round of checkpoints."""

    def reached() -> bool:
        newest = [max(agent.checkpoints.rounds(actor), default=0) for actor in actors]
        return min(newest) >= rounds

    until(reached)
    assert agent.process.poll() is None
    agent.kill_all()


def same(one: Any, other: Any) -> bool:
    """Tell whether two states are equal to the last bit."""
    from torch import Tensor, equal

    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and equal(one, other)
    return type(one) is type(other) and one == other


async def undisturbed(wiring: str, folder: Path) -> Path:
    """Run a wiring to its end in this process; return the run's folder."""
    (folder / "wiring.toml").write_text(wiring)
    async with World(folder / "wiring.toml", folder=folder / "run") as world:
        await world.finished()
    return folder / "run"


@pytest.mark.timeout(120)
async def test_killed_and_resumed_one_worker_ends_with_the_bits_of_an_undisturbed_run(
    up: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    whole = await undisturbed(LEARNING, tmp_path)
    agent = up(LEARNING)

    kill_after(agent, 2, "center/0", "worker/0")
    agent.resume()

    assert agent.end() == 0, agent.said.read_text()
    assert f"resumed from {agent.run}, round " in agent.said.read_text()
    for actor in ("center", "worker"):
        assert same(agent.state(f"{actor}/0"), final_state(whole, actor))
    assert agent.state("worker/0")["t"] == LEARNED
    assert_accounted(agent, unknown=0)


def test_a_killed_run_goes_on_with_more_workers_and_then_with_fewer(up: Start) -> None:
    agent = up(COUNTED)

    for count, rounds in ((3, 2), (1, 4)):
        kill_after(agent, rounds, "center/0", "worker/0", "worker/1")
        agent.resume(COUNTED.replace("count = 2", f"count = {count}"))

    assert agent.end() == 0, agent.said.read_text()
    first, second, third = (beginnings(agent, f"worker-{k}") for k in range(3))
    assert 0 == first[0] < first[1] < first[2]
    assert 0 == second[0] < second[1]
    assert (len(second), third) == (2, [0])
    assert agent.state("worker/0")["t"] == STEPS
    traffic = agent.totals.traffic
    assert traffic.sent == traffic.handled == STEPS - first[2]
    assert_accounted(agent, unknown=0)
    assert agent.left() == []
