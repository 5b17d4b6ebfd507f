"""Whoever is killed comes back with what it had, and the others hardly notice."""

from __future__ import annotations

import time
from random import Random

import pytest

from tests.chaos.books import assert_accounted, assert_sums, beginnings, of, print_downtimes
from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, FAST, OFTEN, WORKERS, Agent, until

STEPS = 800
HARDY = FAST + CENTER + OFTEN + WORKERS + OFTEN + f"pause = 0.003\nsteps = {STEPS}\n"
ALL = ("center-0", "worker-0", "worker-1")
KILLED = "its process was killed by SIGKILL"


def killed(agent: Agent, names: tuple[str, ...], seed: int, times: int) -> None:
    """Kill processes at a drawn moment after they are all back from the last time, and again."""
    random = Random(seed)
    for died in range(times):
        for name in names:
            agent.until_told(f"{name.replace('-', '/')} is back", died)
        time.sleep(random.uniform(0.0, 0.15))  # when it happens is what is tried
        agent.kill(*names)
    for name in names:
        agent.until_told(f"{name.replace('-', '/')} is back", times)


def assert_well(agent: Agent, names: tuple[str, ...], times: int) -> None:
    """Check that the run has come to its end, with a return for each death."""
    assert (agent.end(), agent.summary["outcome"]) == (0, "finished"), agent.said.read_text()
    print_downtimes(agent)
    for name in names:
        backs = of(agent, name.replace("-", "/"))
        assert [back.why for back in backs] == [KILLED] * times
        assert [back.incarnation for back in backs] == list(range(2, times + 2))
    assert len(agent.totals.restarts) == times * len(names)
    assert_accounted(agent, unknown=2 * times * len(names))
    assert_sums(agent, STEPS)
    assert agent.left() == []


@pytest.mark.parametrize("seed", range(2))
def test_a_worker_killed_in_an_exchange_comes_back_and_the_run_ends_well(
    up: Start, seed: int
) -> None:
    agent = up(HARDY)
    agent.until_said("worker-1", "running")

    killed(agent, ("worker-1",), seed, times=2)

    assert_well(agent, ("worker-1",), 2)
    assert len(beginnings(agent, "worker-1")) == 3


@pytest.mark.parametrize("seed", range(2, 4))
def test_a_killed_center_comes_back_from_its_checkpoint_and_no_worker_loses_its_place(
    up: Start, seed: int
) -> None:
    agent = up(HARDY)
    agent.until_kept("center/0", "worker/0", "worker/1")

    killed(agent, ("center-0",), seed, times=2)

    assert_well(agent, ("center-0",), 2)
    assert all(back.checkpoint.startswith("center-0.") for back in of(agent, "center/0"))
    for name in ("worker-0", "worker-1"):
        places = beginnings(agent, name)
        assert places == sorted(places)
        assert places[:1] == [0]


@pytest.mark.parametrize("seed", [4])
def test_center_and_worker_killed_at_once_come_back_both(up: Start, seed: int) -> None:
    agent = up(HARDY)
    agent.until_said("worker-0", "running")

    killed(agent, ("center-0", "worker-0"), seed, times=2)

    assert_well(agent, ("center-0", "worker-0"), 2)


@pytest.mark.parametrize("seed", [5])
def test_all_killed_at_once_come_back_all(up: Start, seed: int) -> None:
    agent = up(HARDY)
    agent.until_said("worker-1", "running")

    killed(agent, ALL, seed, times=2)

    assert_well(agent, ALL, 2)


def test_who_dies_while_it_comes_back_comes_back_all_the_same(up: Start) -> None:
    agent = up(HARDY)
    agent.until_said("worker-0", "running")
    first = agent.member("worker-1")
    agent.kill("worker-1")
    until(lambda: agent.members().get("worker-1", first) != first)

    agent.kill("worker-1")

    agent.until_told("worker/1 is back")
    assert (agent.end(), agent.summary["outcome"]) == (0, "finished")
    assert [back.incarnation for back in of(agent, "worker/1")] == [2]
    assert_sums(agent, STEPS)
    assert agent.left() == []


def test_who_was_asked_and_died_is_named_to_the_asker_and_comes_back(up: Start) -> None:
    agent = up(CENTER + '[asker]\nactor = "players:Asker"\ncenter = "@center"\ncount = 2\n')
    for death in (1, 2):  # of two who ask, one waits for the center's next life
        agent.until_said("center-0", "waiting", death)
        agent.kill("center-0")

    assert agent.end() == 0
    told = f"center/0 is gone: {KILLED}; what became of Center.wait is unknown"
    assert agent.state("asker/0")["seen"] == agent.state("asker/1")["seen"] == told
    assert [actor.traffic.unknown for actor in agent.totals.actors] == [0, 1, 1]
    assert_accounted(agent, unknown=2)
