"""The end of a run: what does not listen is killed, and what does has its books closed."""

from __future__ import annotations

import os
import signal

import pytest

from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, ENDLESS, ENDS_IN, SERVICE, SLACK, WORKERS, until

IN_TIME = ENDS_IN + SLACK
HASTY = "[run]\ngraceful = 1\ndrain = 0.5\n"


def test_a_stopped_process_is_killed_when_its_time_is_over(up: Start) -> None:
    agent = up(ENDLESS)
    agent.until_said("worker-1", "running")
    os.kill(agent.member("worker-1"), signal.SIGSTOP)

    agent.signal(signal.SIGINT)

    assert agent.end(IN_TIME) == 130
    reason = agent.summary["reason"]
    assert reason.startswith("worker/1 did not stop in 2 s; worker/1 did not close in ")
    assert {path.stem for path in (agent.run / "state").iterdir()} == {"center-0", "worker-0"}
    assert agent.left() == []


def test_a_thread_that_computes_on_does_not_hold_the_end(up: Start) -> None:
    agent = up(HASTY + '[thinker]\nactor = "players:Thinker"\n' + CENTER)
    agent.until_said("thinker-0", "thinking")

    agent.signal(signal.SIGINT)

    assert agent.end(IN_TIME) == 130
    assert agent.summary["reason"].startswith("thinker/0 did not stop in 0.5 s")
    assert agent.state("center/0") == {"n": 0}
    assert agent.left() == []


def test_a_handler_that_blocks_its_loop_does_not_hold_the_end(up: Start) -> None:
    agent = up(HASTY + CENTER + '[blocker]\nactor = "players:Blocker"\ncenter = "@center"\n')
    agent.until_said("center-0", "blocking")

    agent.signal(signal.SIGINT)

    assert agent.end(IN_TIME) == 130
    assert agent.summary["reason"].startswith("center/0 did not stop in 0.5 s")
    assert agent.left() == []


def test_a_message_that_is_never_finished_does_not_hold_the_end(up: Start) -> None:
    agent = up(HASTY + CENTER + '[leaver]\nactor = "players:Leaver"\ncenter = "@center"\n')

    code = agent.end(IN_TIME + SLACK)

    assert code == 0
    told = "center/0, leaver/0 did not finish what was under way in 0.5 s"
    assert agent.summary["reason"] == told
    assert agent.left() == []


def test_what_an_actor_started_ends_with_its_process(up: Start) -> None:
    agent = up('[parent]\nactor = "players:Parent"\nmax_restarts = 0\n')
    agent.until_said("parent-0", "started")

    agent.kill("parent-0")

    assert agent.end(IN_TIME) == 1
    assert agent.left() == []


@pytest.mark.parametrize("beside", ["", 'beside = "center"\n'], ids=["apart", "together"])
def test_after_a_clean_end_the_books_are_closed(up: Start, beside: str) -> None:
    agent = up(CENTER + WORKERS + beside + "steps = 50\n")

    code = agent.end()

    assert code == 0
    assert agent.summary["outcome"] == "finished"
    traffic = [actor["traffic"] for actor in agent.summary["actors"]]
    assert sum(one["sent"] for one in traffic) == 100
    assert sum(one["handled"] for one in traffic) == 100
    assert [(one["in_flight"], one["unknown"], one["dropped"]) for one in traffic] == [
        (0, 0, {})
    ] * 3
    assert agent.state("center/0") == {"n": 100}
    assert agent.left() == []


def test_a_service_ends_when_all_lives_have(up: Start) -> None:
    agent = up(CENTER + WORKERS + "steps = 5\n" + SERVICE)

    code = agent.end()

    assert code == 0
    assert agent.summary["outcome"] == "finished"
    assert agent.state("service/0") == {"ended": "relieved"}


def test_a_process_that_needs_no_torch_starts_without_it(up: Start) -> None:
    agent = up('[witness]\nactor = "players:Witness"\n')

    code = agent.end()

    assert code == 0
    assert agent.state("witness/0")["loaded"] == []


def test_a_run_that_is_terminated_twice_ends_in_good_order(up: Start) -> None:
    agent = up(ENDLESS)
    agent.until_said("worker-0", "running")
    agent.signal(signal.SIGTERM)
    agent.signal(signal.SIGTERM)

    until(lambda: agent.process.poll() is not None)

    assert agent.end() == 0
    assert agent.left() == []
