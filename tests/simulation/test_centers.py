"""Each protocol with a center or with rounds, small, on many seeds, among every fault at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.simulation.centers import HEAD, STEPS, WIRINGS, WORKERS, Played, Sums, play, swept
from tether.runners.declared import classes

ROUNDS = ("local_sgd", "local_sgd_updates", "local_sign_sgd")


def learners(played: Played) -> list[Any]:
    """Return the workers that are there at the end."""
    return [actor for name, actor in played.actors.items() if name.partition("/")[0] in WORKERS]


@pytest.mark.parametrize("name", WIRINGS)
def test_a_seed_holds_all_promises_under_every_fault_and_is_checked(name: str) -> None:
    played = play(name, 0)

    simulation = played.simulation
    assert simulation.broken == {}
    assert classes(simulation.plan)
    assert played.findings.faults["crash"] == 2
    assert all(torch.isfinite(worker.learner.x).all() for worker in learners(played))


@pytest.mark.parametrize("name", WIRINGS)
def test_without_a_fault_all_come_to_the_end_and_nothing_leaks(name: str) -> None:
    played = play(name, 1, troubled=False)

    told = [
        report.metrics
        for name, report in played.simulation.tally.last.items()
        if name.partition("/")[0] in WORKERS
    ]
    steps = STEPS // 2 if name == "admm" else STEPS
    assert played.simulation.broken == {}
    assert played.simulation.declared.leaks == []
    assert [worker.t for worker in learners(played)] == [steps] * len(learners(played))
    assert all("waited" in metrics for metrics in told)
    assert len(told) == len(learners(played))


@pytest.mark.parametrize("name", ROUNDS)
def test_after_the_last_round_all_stand_at_the_same_bits(name: str) -> None:
    played = play(name, 2)

    c = played.actors["center/0"].c
    assert all(torch.equal(worker.learner.x, c) for worker in learners(played))


def test_a_line_of_the_table_has_what_the_seeds_have_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sums = swept("easgd", range(2))

    line = capsys.readouterr().out.strip()
    assert sums.broken == {}
    assert line.startswith("| `easgd` | 2 | ")
    assert line.endswith(" | 0 |")
    assert line.count("|") == HEAD.splitlines()[0].count("|")
    assert sums.counts["crashes"] == 4


def test_a_seed_that_breaks_a_promise_is_in_the_last_column() -> None:
    sums, played = Sums("easgd"), play("easgd", 0, troubled=False)
    findings = replace(played.findings, broken=["nothing holds"])

    sums.add(7, replace(played, findings=findings))

    assert sums.broken == {7: ["nothing holds"]}
    assert sums.row.endswith(" | 1 |")


def test_who_is_given_up_is_told_unless_the_run_was_ending_anyway() -> None:
    played = play("easgd", 0, troubled=False)
    last = played.simulation.tally.last
    last["worker/2"] = last["worker/2"]._replace(step=STEPS - 1)
    ending = "killed; the run is ending"
    gave_up = {"worker/0": ending, "worker/1": "killed 21 times", "worker/2": f"early {ending}"}
    sums = Sums("easgd")

    sums.add(7, replace(played, findings=replace(played.findings, gave_up=gave_up)))

    assert sums.broken == {7: ["killed 21 times", f"early {ending}"]}
    assert sums.row.endswith(" | 1 |")


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", WIRINGS)
def test_a_thousand_seeds_of_each_protocol_hold_all_promises(name: str) -> None:
    print(HEAD)
    sums = swept(name, range(1000))

    assert sums.broken == {}
    assert sums.counts["seeds"] == 1000
