from __future__ import annotations

from torch import zeros

from tests.simulation import players
from tests.simulation.centers import play
from tests.simulation.players import Seen
from tether.actors import Group
from tether.protocols.aggregator import Aggregator
from tether.protocols.hierarchical_invariants import INVARIANTS, Meetings
from tether.protocols.invariant import Call, Life
from tether.protocols.local_sgd import Worker
from tether.protocols.quadratic import Quadratic


def test_the_invariant_is_when_blocks_meet() -> None:
    assert (Meetings,) == INVARIANTS


def test_l5_a_round_that_ends_at_no_multiple_of_its_h_is_told_unless_the_run_ends_there() -> None:
    view = Seen()
    meetings, center = Meetings(view), Aggregator(zeros(1), Group(), H=4)
    view.actors["center/0"] = center
    learner = Quadratic(1, eta=0.5, h=1.0, sigma=0.0, optimum=0.0, start=1.0, seed=0)
    meetings.made(Life("worker/0", 1), Worker(center, None, learner, steps=10))  # type: ignore[arg-type]
    meetings.before("worker/0", "step")
    meetings.after("worker/0", "step")
    meetings.answered(Call(Life("worker/0", 1), Life("center/0", 1), "join", ()), None)

    found = []
    for center.t in (8, 9, 10):
        found.append(meetings.check())

    assert found == ["", "center/0 ended a round at step 9, but its H is 4", ""]


def test_l5_among_faults_blocks_meet_where_they_have_to() -> None:
    played = play("hierarchical", 0)

    assert played.simulation.broken == {}
    assert {played.actors[name].t for name in ("left/0", "right/0", "center/0")} == {12}
    assert players.CENTER in played.actors
