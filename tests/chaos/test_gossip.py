"""Any one of eight peers that gossip is killed while all train: it takes no weight but its own."""

from __future__ import annotations

from math import fsum

import pytest

from tests.chaos.conftest import Start
from tests.chaos.stage import FAST, until

M = 8
PEERS = """
[peer]
actor   = "gossiping:Mortal"
count   = 8
restart = "temporary"
peers   = "@peer[others]"
learner = { make = "gossiping:learner", seed = "$seed" }
M       = "$count"
p       = 0.2
steps   = 250
index   = "$index"
doomed  = DOOMED
"""


@pytest.mark.soak  # eight processes import torch
@pytest.mark.timeout(240)
@pytest.mark.parametrize("doomed", range(M))
def test_whichever_of_eight_peers_is_killed_it_takes_no_weight_along_but_its_own(
    up: Start, doomed: int
) -> None:
    agent = up(FAST + PEERS.replace("DOOMED", str(doomed)))

    rounds = agent.checkpoints.rounds
    until(lambda: max(rounds(f"peer/{doomed}"), default=0) >= 5, 120)  # all import torch, and push
    agent.kill(f"peer-{doomed}")
    code = agent.end(60)

    states = [agent.state(f"peer/{k}") for k in range(M) if k != doomed]
    held = [state["own"]["a"] for state in states]
    held += [a for state in states for _, a, _ in state["own"]["queue"]]
    gave, got = (fsum(state[key] for state in states) for key in ("gave", "got"))
    totals = agent.totals
    assert (code, agent.summary["outcome"]) == (0, "finished")
    assert [state["t"] - state["since"] for state in states] == [250] * (M - 1)
    assert gave > 0
    assert got > 0
    assert fsum(held) == pytest.approx(1 - 1 / M - gave + got, abs=1e-12)
    assert [*totals.gave_up] == [f"peer/{doomed}"]
    assert (totals.unaccounted, totals.traffic.in_flight) == (0, 0)
    agent.until_nothing_is_left()
