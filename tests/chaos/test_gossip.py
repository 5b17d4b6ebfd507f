"""One of eight peers that gossip is killed while all train: its own weight is lost, and no more."""

from __future__ import annotations

from math import fsum

import pytest

from tests.chaos.conftest import Start
from tests.chaos.stage import FAST

SURVIVORS = [f"peer/{k}" for k in range(7)]
PEERS = """
[peer]
actor     = "gossiping:Survivor"
count     = 7
processes = 1
peers     = ["@peer[-1]", "@peer[+1]", "@doomed"]
learner   = { make = "gossiping:learner", seed = "$seed" }
M         = 8
p         = 0.2
steps     = 500

[doomed]
actor   = "gossiping:Doomed"
restart = "temporary"
peers   = "@peer[*]"
learner = { make = "gossiping:learner", seed = "$seed" }
M       = 8
p       = 0.2
"""


@pytest.mark.timeout(90)
def test_a_peer_that_is_killed_takes_no_weight_along_but_its_own(up: Start) -> None:
    agent = up(FAST + PEERS)

    agent.until_kept("doomed/0")
    agent.kill("doomed-0")
    code = agent.end(60)

    states = [agent.state(name) for name in SURVIVORS]
    held = [state["own"]["a"] for state in states]
    held += [a for state in states for _, a, _ in state["own"]["queue"]]
    gave, got = (fsum(state[key] for state in states) for key in ("gave", "got"))
    assert (code, agent.summary["outcome"]) == (0, "finished")
    assert [state["t"] for state in states] == [500] * 7
    assert gave > 0
    assert got > 0
    assert fsum(held) == pytest.approx(7 / 8 - gave + got, abs=1e-12)
    assert agent.left() == []
