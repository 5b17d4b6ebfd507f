"""A run over several hosts: who comes when, who is lost, and how it ends for all of them."""

from __future__ import annotations

import signal

import pytest

from tests.chaos.books import assert_accounted, assert_sums
from tests.chaos.conftest import Start
from tests.chaos.hosting import CENTER, TIMES, hosts, workers
from tests.chaos.stage import OFTEN, Agent, until

pytestmark = pytest.mark.timeout(60)  # several agents and all their processes, beside another test


def at(up: Start, wiring: str, host: str, *arguments: str) -> Agent:
    """Start the agent of a host."""
    return up(wiring, "--host", host, *arguments)


def assert_ended(*agents: Agent, codes: tuple[int, ...]) -> None:
    assert tuple(agent.end() for agent in agents) == codes, [a.said.read_text() for a in agents]
    for agent in agents:
        agent.until_nothing_is_left()


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_a_run_over_hosts_ends_with_all_books_closed_and_all_states_at_home(
    up: Start, names: str
) -> None:
    wiring = hosts(*names) + CENTER + workers(*names, steps=40)
    agents = [at(up, wiring, name) for name in names]

    assert_ended(*agents, codes=(0,) * len(names))

    home = agents[0]
    assert home.summary["outcome"] == "finished"
    assert home.state("center") == {"n": 40 * len(names)}
    assert [home.state(f"worker/{k}") for k in range(len(names))] == [{"t": 40}] * len(names)
    assert all("ends at 40" in home.log(f"worker-{k}") for k in range(len(names)))
    assert_accounted(home, unknown=0)
    assert home.totals.traffic.handled == 40 * len(names)


def test_home_waits_for_who_comes_late_and_says_who_that_is(up: Start) -> None:
    wiring = hosts("a", "b", "c") + CENTER + workers("a", "b", "c", steps=5)
    home, other = at(up, wiring, "a"), at(up, wiring, "c")
    home.until_told("waiting for host")
    home.until_told("host c is here")

    late = at(up, wiring, "b")

    assert_ended(home, other, late, codes=(0, 0, 0))
    assert "(tether up … --host b" in home.said.read_text()


def test_an_agent_calls_until_its_home_is_there(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("b", steps=5)
    early = at(up, wiring, "b")
    early.until_told("host b calls home a, 127.0.0.1:")

    home = at(up, wiring, "a")

    assert_ended(home, early, codes=(0, 0))


def test_a_host_that_does_not_come_in_time_is_named_and_nothing_is_started(up: Start) -> None:
    short = TIMES.replace("wait = 20", "wait = 5")
    wiring = hosts("a", "b", "c", times=short) + CENTER + workers("b", "c")
    other = at(up, wiring, "c")
    other.until_told("host c calls home a")
    home = at(up, wiring, "a")

    assert home.end() == 2

    told = "[hosts]: within 5 s nothing was heard of host b (tether up … --host b)"
    assert told in home.said.read_text()
    assert_ended(other, codes=(2,))
    home.until_nothing_is_left()


def test_a_drifted_copy_is_refused_on_both_sides_with_its_file_and_both_hosts(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + '[odd]\nactor = "copied:Odd"\non = "b"\n'
    source = "class Odd:\n    async def run(self) -> None: ...\n"
    agents = [
        up(wiring, "--host", name, files={"copied.py": f"{source}# {name}\n"}) for name in "ab"
    ]

    assert_ended(*agents, codes=(2, 2))

    for agent in agents:
        told = agent.said.read_text()
        assert "module copied (copied.py) is " in told
        assert " on host a, but " in told
        assert " on host b; copy the right one to the other host" in told
        assert not agent.members()


def test_another_wiring_is_another_run(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("b", steps=5)
    home, other = at(up, wiring, "a"), at(up, wiring, "b", "--set", "worker.steps=6")

    assert_ended(home, other, codes=(2, 2))

    assert "start both with the same file and the same --set" in other.said.read_text()


def test_a_killed_process_comes_back_on_its_own_host(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("a", "b", steps=400, more=OFTEN)
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    other.kill("worker-1")

    assert_ended(home, other, codes=(0, 0))
    (back,) = home.totals.restarts
    assert (back.actor, back.why) == ("worker/1", "its process was killed by SIGKILL")
    assert_accounted(home, unknown=1)
    assert_sums(home, 400)


def test_the_actors_of_a_lost_host_come_back_with_its_next_agent(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("a", "b", steps=3000, more=OFTEN)
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_kept("worker/1")

    other.signal(signal.SIGKILL)
    other.end()
    other.until_nothing_is_left()
    home.until_told("host b is lost: nothing was heard of host b for 2 s")
    other.again()

    assert_ended(home, other, codes=(0, 0))
    (back,) = home.totals.restarts
    assert (back.actor, back.why) == ("worker/1", "nothing was heard of host b for 2 s")
    assert back.checkpoint.startswith("worker-1.")
    assert home.state("worker/1") == {"t": 3000}
    assert home.totals.unaccounted == 0


def test_an_agent_that_is_started_anew_before_it_was_missed_is_another_one(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("a", "b", steps=3000, more=OFTEN)
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    other.signal(signal.SIGKILL)
    other.end()
    other.again()

    assert_ended(home, other, codes=(0, 0))
    assert {back.actor for back in home.totals.restarts} == {"worker/1"}
    assert home.totals.restarts[0].why in {
        "the agent of host b was started anew",
        "nothing was heard of host b for 2 s",
    }


def test_the_actors_of_a_host_that_stays_away_are_given_up(up: Start) -> None:
    short = TIMES.replace("wait = 20", "wait = 3")
    wiring = hosts("a", "b", times=short) + CENTER + workers("a", "b", steps=3000)
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    other.signal(signal.SIGKILL)

    assert home.end() == 1
    assert "host b has no agent; none came in 3 s" in home.summary["reason"]
    assert home.state("worker/0") == {"t": 3000}
    other.end()
    other.until_nothing_is_left()


def test_a_host_whose_agent_is_terminated_leaves_at_once(up: Start) -> None:
    wiring = hosts("a", "b", times=TIMES.replace("wait = 20", "wait = 1")) + CENTER
    wiring += workers("a", "b")
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    other.signal(signal.SIGTERM)
    other.until_told("once more, and it does now")
    other.signal(signal.SIGTERM)

    home.until_told("host b is lost: its agent was ended by SIGTERM")
    assert other.end() == 1
    other.until_nothing_is_left()
    home.signal(signal.SIGINT)
    assert home.end() == 130
    home.until_nothing_is_left()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_at_home_ends_all_hosts_in_good_order(
    up: Start, number: signal.Signals, code: int
) -> None:
    wiring = hosts("a", "b") + CENTER + workers("a", "b")
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    home.signal(number)

    assert_ended(home, other, codes=(code, code))
    assert home.state("worker/1")["t"] > 0
    assert_accounted(home, unknown=0)


def test_a_signal_that_goes_to_all_hosts_ends_them_in_good_order_too(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("a", "b")
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    other.signal(signal.SIGINT)
    home.signal(signal.SIGINT)

    assert_ended(home, other, codes=(130, 130))
    assert home.state("worker/1")["t"] > 0


def test_a_second_interrupt_kills_what_does_not_end_on_all_hosts(up: Start) -> None:
    deaf = '[blocker]\nactor = "players:Blocker"\ncenter = "@center"\non = "a"\n'
    patient = TIMES + "graceful = 20\ndrain = 20\n"
    wiring = hosts("a", "b", times=patient) + CENTER.replace('"a"', '"b"') + deaf
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("center-0", "blocking")

    home.signal(signal.SIGINT)
    other.until(lambda: other.members() != {})
    home.signal(signal.SIGINT)

    assert_ended(home, other, codes=(130, 130))


def test_a_table_grows_and_shrinks_over_hosts_without_losing_a_message(up: Start) -> None:
    live = (
        '[member]\nactor = "troubled:Member"\ncenter = "@center"\non = ["a", "b"]\n'
        "count = { start = 2, min = 1, max = 4 }\nsteps = 1500\n"
        '[resizer]\nactor = "troubled:Resizer"\nmembers = "@member[*]"\nsizes = [4, 1, 3]\n'
    )
    wiring = hosts("a", "b") + CENTER + live
    home, other = at(up, wiring, "a"), at(up, wiring, "b")

    assert_ended(home, other, codes=(0, 0))

    assert home.state("resizer/0")["seen"] == [4, 1, 3]
    left = [change.actor for change in home.totals.membership if change.change == "left"]
    assert sorted(left) == ["member/1", "member/2", "member/3"]
    assert_accounted(home, unknown=0)


def test_who_is_interrupted_while_it_waits_starts_nothing(up: Start) -> None:
    home = at(up, hosts("a", "b") + CENTER + workers("b"), "a")
    home.until_told("waiting for host b")

    home.signal(signal.SIGINT)

    assert_ended(home, codes=(130,))


def test_without_its_home_a_host_ends_all_it_has(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("a", "b")
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    home.signal(signal.SIGKILL)

    assert other.end() == 1
    assert "nothing was heard of home a for 2" in other.said.read_text()
    other.until_nothing_is_left()
    home.end()
    home.until_nothing_is_left()


def test_a_home_that_is_started_anew_takes_no_agent_of_the_one_before(up: Start) -> None:
    slow = TIMES.replace("lost = 2", "lost = 60")
    wiring = hosts("a", "b", times=slow) + CENTER + workers("a", "b")
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    home.signal(signal.SIGKILL)
    home.end()
    home.again()

    assert other.end() == 1
    other.until_nothing_is_left()
    assert "does not know this agent any more, so it ends" in other.said.read_text()
    home.signal(signal.SIGINT)
    assert_ended(home, codes=(130,))


def test_an_agent_that_is_stopped_for_a_while_loses_nothing(up: Start) -> None:
    patient = TIMES.replace("lost = 2", "lost = 60")
    wiring = hosts("a", "b", times=patient) + CENTER + workers("a", "b", steps=3000)
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    other.signal(signal.SIGSTOP)
    home.until_told("worker/1 is unreachable: nothing was heard of its process for ")
    other.signal(signal.SIGCONT)
    home.until_told("worker/1 is no longer unreachable")

    assert_ended(home, other, codes=(0, 0))
    assert home.totals.restarts == ()
    assert_accounted(home, unknown=0)
    assert home.state("center") == {"n": 6000}


def test_a_run_over_hosts_is_gone_on_from(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("a", "b", steps=100)
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    assert_ended(home, other, codes=(0, 0))

    more = wiring.replace("steps = 100", "steps = 150")
    home.resume(more, "--host", "a")
    other.resume(more, "--host", "b")

    assert_ended(home, other, codes=(0, 0))
    assert home.state("center") == {"n": 300}
    assert "begins at 100" in other.log("worker-1")


def test_a_host_without_the_checkpoints_that_home_goes_on_from_is_told_which(up: Start) -> None:
    short = TIMES.replace("wait = 20", "wait = 2")
    wiring = hosts("a", "b", times=short) + CENTER + workers("a", "b", steps=20)
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    assert_ended(home, other, codes=(0, 0))
    for file in (other.run / "state").iterdir():
        file.unlink()
    for name in other.checkpoints.storage.names():
        other.checkpoints.storage.remove(name)

    home.resume("", "--host", "a")
    other.resume("", "--host", "b")

    assert other.end() == 1
    assert home.end() in (1, 2)
    assert "host b has no checkpoint of worker/1 of round " in other.said.read_text()
    for agent in (home, other):
        agent.until_nothing_is_left()


def test_stop_ends_all_hosts(up: Start) -> None:
    from tether.runners.stop import stop_run

    wiring = hosts("a", "b") + CENTER + workers("a", "b")
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    said = stop_run(home.run)

    assert said == f"{home.run} has ended"
    assert_ended(home, other, codes=(0, 0))


def test_a_second_agent_of_a_host_cannot_listen(up: Start) -> None:
    wiring = hosts("a", "b") + CENTER + workers("a", "b")
    home, other = at(up, wiring, "a"), at(up, wiring, "b")
    other.until_said("worker-1", "running")

    second = at(up, wiring, "b")

    assert second.end() == 2
    assert "the agent of host b cannot listen where [hosts] says: " in second.said.read_text()
    until(lambda: "is no other agent of it running?" in second.said.read_text())
    home.signal(signal.SIGINT)
    assert_ended(home, other, codes=(130, 130))
