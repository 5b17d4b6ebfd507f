"""What must be right about the sums of a run, whoever was killed in it and however often."""

from __future__ import annotations

from statistics import median

from tests.chaos.stage import Agent
from tether.runners.restart import Restart


def assert_accounted(agent: Agent, unknown: int) -> None:
    """Check that what became of every message is known, but for at most so many of the dead."""
    totals = agent.totals
    fate = totals.unaccounted, totals.traffic.in_flight
    assert fate == (0, 0), f"unaccounted, in flight: {fate}: {totals.edges}"
    found = totals.traffic.unknown
    assert found <= unknown, f"{found} are unknown, but at most {unknown} can be: {totals.edges}"


def assert_sums(agent: Agent, steps: int | None = None) -> None:
    """Check the center's sum, and the steps of all who add 1 to it a step: all of them, if given.

    What the center counts is what it has handled, but for what it has lost with a life of its own.
    Whoever died makes the steps since its checkpoint again. A death on either side of an exchange
    costs one more message at most, and so does the end of a run: the one under way.
    """
    totals = agent.totals
    undone = sum(back.rolled_back_messages for back in of(agent, "center/0"))
    n, handled = agent.state("center/0")["n"], totals.traffic.handled
    assert n == handled - undone, f"the center counts {n}, of {handled} but for {undone}"
    for actor in totals.actors:
        if actor.traffic.sent:
            reached = agent.state(actor.name)["t"]
            assert steps in (None, reached), f"{actor.name} has made {reached} steps"
            again = sum(back.rolled_back_steps for back in of(agent, actor.name))
            ends = len(of(agent, actor.name)) + len(of(agent, "center/0")) + (steps is None)
            lost = actor.traffic.sent - reached - again
            assert 0 <= lost <= ends, f"{actor.name} has lost {lost} messages in {ends} deaths"


def of(agent: Agent, actor: str) -> list[Restart]:
    """Return the returns of one actor."""
    return [back for back in agent.totals.restarts if back.actor == actor]


def beginnings(agent: Agent, name: str) -> list[int]:
    """Return at which step the `run()` of a worker has begun, each time that it did."""
    lines = agent.log(name).splitlines()
    return [int(line.split()[2]) for line in lines if line.startswith("begins at ")]


def print_downtimes(agent: Agent) -> None:
    """Print for how long those who died were away: measured, not promised."""
    times = sorted(back.downtime for back in agent.totals.restarts)
    if times:
        print(f"{len(times)} returns: median {median(times):.2f} s, longest {times[-1]:.2f} s")
