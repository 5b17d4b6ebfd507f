"""Actors come and go while all others train, and no message is lost on the way."""

from __future__ import annotations

import pytest

from tests.chaos.books import assert_accounted
from tests.chaos.conftest import Start
from tests.chaos.stage import CENTER, FAST, Agent

STEPS = 1500
GROWS = (
    FAST
    + CENTER
    + '[member]\nactor = "troubled:Member"\ncenter = "@center"\n'
    + f"count = {{ start = 2, min = 1, max = 4 }}\nsteps = {STEPS}\n"
    + '[resizer]\nactor = "troubled:Resizer"\nmembers = "@member[*]"\n'
)


@pytest.mark.parametrize(
    ("sizes", "joined", "left"),
    [([4, 1], "2 3", "1 2 3"), ([1, 3, 2, 4, 1], "1 2 2 3", "1 1 2 2 3")],
    ids=["once", "to and fro"],
)
def test_a_table_grows_and_shrinks_while_it_trains_without_losing_a_message(
    up: Start, sizes: list[int], joined: str, left: str
) -> None:
    agent = up(f"{GROWS}sizes = {sizes}\n")

    code = agent.end()

    assert (code, agent.summary["outcome"], agent.summary["reason"]) == (0, "finished", "")
    seen = agent.state("resizer/0")
    assert seen["seen"] == sizes
    assert changes(agent, "left") == [f"member/{k}" for k in left.split()]
    assert changes(agent, "joined") == [f"member/{k}" for k in joined.split()]
    told = [f"<Ref {change.actor}> {change.change}" for change in agent.totals.membership]
    assert sorted(seen["told"]) == sorted(told)
    assert_accounted(agent, unknown=0)
    assert agent.state("member/0")["t"] == STEPS
    to_center = [edge.traffic for edge in agent.totals.edges if edge.target == "center"]
    assert agent.state("center/0")["n"] == sum(traffic.handled for traffic in to_center)
    assert agent.left() == []


def changes(agent: Agent, kind: str) -> list[str]:
    """Return who joined or left, however often."""
    return sorted(change.actor for change in agent.totals.membership if change.change == kind)
