from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.conftest import build
from tests.simulation import players
from tests.simulation.players import CENTER, NETWORK, Seen, Stage, played, run_of, wiring
from tether.protocols.easgd import Center, Worker
from tether.protocols.easgd_invariants import INVARIANTS, ROUNDINGS, Conservation
from tether.protocols.invariant import Call, Life

OFF = "x̃ + Σx − differences under way is off Σ steps + leaks by"
ERRORS: dict[str, list[tuple[str, float]]] = {
    "a difference is applied with the wrong sign": [("answer", 1.0), ("apply", 1.0)],
    "it is applied twice": [("answer", 2.0), ("apply", -2.0), ("apply", -2.0)],
    "it is never applied": [("answer", 2.0), ("apply", 0.0)],
    "the one before it is applied again": [
        ("answer", 3.0), ("apply", -3.0), ("answer", 1.0), ("apply", -3.0),
    ],
    "it was not applied before the next one": [("answer", 2.0), ("answer", 1.0), ("apply", -1.0)],
    "the center moves by more than it answers": [("answer", 1.0), (CENTER, 2.0), ("apply", -1.0)],
    "the center moves by itself": [(CENTER, 2.0)],
    "a worker writes x by itself": [("worker/0", 2.0)],
    "a gradient writes x": [("gradient", 2.0)],
    "a worker begins anew for no reason": [("apply", -2.0)],
}  # fmt: skip


def test_the_invariant_of_easgd_is_conservation_and_nobody_conserves_nothing() -> None:
    found = [invariant(Seen()) for invariant in INVARIANTS]

    assert [type(each) for each in found] == [Conservation]
    assert found[0].check() == ""


def test_what_all_begin_with_is_counted_and_is_no_leak() -> None:
    stage = Stage(8.0, 4.0, -2.0)

    assert stage.moved == [10.0]
    assert stage.check() == ""
    assert stage.view.leaks == []


def test_actors_that_are_neither_centers_nor_workers_are_left_alone() -> None:
    stage = Stage(8.0, 4.0)

    stage.view.actors["evaluator/0"] = object()
    stage.conservation.made(Life("evaluator/0", 1), stage.view.actors["evaluator/0"])
    stage.conservation.before("evaluator/0", "step")
    stage.conservation.after("evaluator/0", "step")

    assert [*stage.conservation.owned] == [CENTER, "worker/0"]
    assert stage.moved == [12.0]
    assert stage.check() == ""


def test_a_step_moves_the_sum_by_what_it_moves_x() -> None:
    stage = Stage(8.0, 4.0)

    stage.write("step", -1.5)

    assert stage.moved == [10.5]
    assert stage.check() == ""


def test_a_difference_is_under_way_from_its_answer_until_it_is_applied() -> None:
    stage = Stage(0.0, 4.0, 8.0)

    stage.answer(1.0)
    under_way = [stage.conservation.under_way["worker/0"].tolist(), stage.check()]
    stage.write("apply", -1.0)

    assert under_way == [[1.0], ""]
    assert stage.conservation.under_way == {}
    assert stage.moved == [12.0]
    assert stage.check() == ""
    assert stage.view.leaks == []


def test_only_tensors_that_answer_an_exchange_are_differences() -> None:
    stage = Stage(3.0, 4.0)
    worker, center = Life("worker/0", 1), Life(CENTER, 1)

    stage.conservation.answered(Call(worker, center, "pull", ()), torch.tensor([3.0]))
    stage.conservation.answered(
        Call(worker, center, "exchange", ()), ValueError("it is not finite")
    )

    assert stage.conservation.under_way == {}
    assert stage.conservation.roundings == ROUNDINGS
    assert stage.check() == ""


@pytest.mark.parametrize(
    "x",
    [5.0, 2.0],
)
def test_a_worker_that_joins_begins_at_the_centers_x_without_a_leak(x: float) -> None:
    stage = Stage(5.0, 4.0)

    stage.make("worker/1", x)
    stage.write("apply", 5.0 - x, "worker/1")

    assert stage.moved == [14.0]
    assert stage.check() == ""
    assert stage.view.leaks == []


def test_a_worker_that_is_resumed_and_does_not_begin_anew_leaks_nothing() -> None:
    stage = Stage(0.0)
    stage.make("worker/0", 4.0)

    stage.answer(1.0)
    stage.write("apply", -1.0)

    assert stage.conservation.under_way == {}
    assert stage.check() == ""
    assert stage.view.leaks == []


def test_a_death_leaks_once_x_and_the_difference_that_was_on_its_way() -> None:
    stage = Stage(0.0, 4.0, 8.0)
    stage.answer(1.0)

    stage.die("worker/0")

    assert [stage.check(), stage.check()] == ["", ""]
    assert stage.moved == [9.0]
    assert stage.view.leaks == [("worker/0 died", 3.0)]


def test_a_worker_that_comes_back_leaks_what_it_had_what_it_has_and_how_it_begins() -> None:
    stage = Stage(5.0, 4.0, 8.0)
    stage.die("worker/0")

    stage.make("worker/0", 2.0)
    stage.write("apply", 3.0)

    assert stage.check() == ""
    assert stage.moved == [18.0]
    assert stage.view.leaks == [
        ("worker/0 died", 4.0), ("worker/0 came back", 2.0), ("worker/0 began at x̃", 3.0),
    ]  # fmt: skip


def test_a_difference_for_a_worker_that_has_died_leaks() -> None:
    stage = Stage(0.0, 4.0, 8.0)
    stage.die("worker/0")

    stage.answer(1.0)

    assert stage.check() == ""
    assert stage.conservation.under_way == {}
    assert stage.view.leaks == [
        ("worker/0 died before its difference came", 1.0), ("worker/0 died", 4.0),
    ]  # fmt: skip


def test_a_difference_for_a_workers_life_before_this_one_leaks() -> None:
    stage = Stage(0.0, 4.0)
    stage.make("worker/0", 4.0)
    stage.view.leaks.clear()

    stage.answer(2.0, life=1)

    assert stage.conservation.under_way == {}
    assert stage.check() == ""
    assert stage.view.leaks == [("worker/0 died before its difference came", 2.0)]


def test_the_death_and_the_return_of_a_center_leak() -> None:
    stage = Stage(3.0, 4.0)
    stage.die(CENTER)

    dead = stage.check()
    stage.make(CENTER, 1.0)

    assert [dead, stage.check()] == ["", ""]
    assert stage.moved == [5.0]
    assert stage.view.leaks == [(f"{CENTER} died", 3.0), (f"{CENTER} came back", 1.0)]


@pytest.mark.parametrize(("change", "leaks"), [(-1.0, []), (-4.0, [("worker/0 began at x̃", 3.0)])])
def test_what_a_dead_center_has_answered_is_applied_or_leaks_when_its_worker_begins_anew(
    change: float, leaks: list[tuple[str, float]]
) -> None:
    stage = Stage(0.0, 4.0)
    stage.answer(1.0)
    stage.die(CENTER)
    stage.make(CENTER, 0.0)
    stage.view.leaks.clear()

    stage.write("apply", change)

    assert stage.conservation.under_way == {}
    assert stage.check() == ""
    assert stage.view.leaks == leaks


def test_an_error_is_told_as_one_when_its_worker_has_exchanged_with_a_new_center() -> None:
    stage = Stage(8.0, 4.0)
    stage.die(CENTER)
    stage.make(CENTER, 8.0)
    stage.view.leaks.clear()

    for what in ("answer", "apply", "apply"):
        stage.happen(what, "worker/0")
    stage.write("apply", 1.0)

    assert stage.check() == f"{OFF} 1"
    assert stage.view.leaks == []


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_told_with_its_size(error: str) -> None:
    stage = Stage(8.0, 4.0, -2.0)

    for what, amount in ERRORS[error]:
        stage.move(what, amount)

    assert [stage.check(), stage.check()] == [f"{OFF} 2", f"{OFF} 2"]
    assert stage.view.leaks == []


def test_numbers_that_are_none_are_told() -> None:
    stage = Stage(8.0, 4.0)

    stage.x(CENTER).fill_(torch.nan)

    assert stage.check() == f"{OFF} nan"


@pytest.mark.parametrize(("exchanges", "roundings"), [(0, 16), (1, 20), (100, 416)])
def test_four_roundings_an_exchange_are_let_pass_beside_sixteen(
    exchanges: int, roundings: int
) -> None:
    stage = Stage(4.0, 1.0)
    for _ in range(exchanges):
        stage.answer(0.0)
        stage.write("apply", 0.0)
    room = roundings * 2 * 4.0 * torch.finfo(torch.float64).eps

    found = []
    for share in (0.9, 0.2):  # of all that may be off, one after the other
        stage.x("worker/0").add_(share * room)
        found.append(stage.check())

    assert found[0] == ""
    assert found[1].startswith(OFF)


@pytest.mark.parametrize(
    ("center", "x", "steps", "change"), [(0.1, 1e6, 4, -2.5e5), (1e3, 1.0, 2000, 0.001)]
)
def test_the_roundings_of_steps_and_of_what_was_larger_are_let_pass(
    center: float, x: float, steps: int, change: float
) -> None:
    stage = Stage(center, x)

    for _ in range(steps):
        stage.write("step", change)

    assert stage.check() == ""


def test_numbers_of_32_bits_have_larger_roundings() -> None:
    view, learner = Seen(), build()
    center = Center(learner.x, alpha=0.5)
    conservation = Conservation(view)
    view.actors |= {CENTER: center, "worker/0": Worker(center, learner, tau=1, steps=1)}
    for name, actor in view.actors.items():
        conservation.made(Life(name, 1), actor)

    found = []
    for off in (3e-6, 6e-6):  # 16 · 2 · 2⁻²³ is 3.8e-6
        center.x[3] += off
        found.append(conservation.check())

    assert found[0] == ""
    assert found[1].startswith(OFF)


EVENTS = ("step", "answer", "apply", "death of a worker", "death before the answer", "new center")


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from(range(3)))))
def test_all_is_conserved_whatever_happens_in_good_order(events: list[tuple[str, int]]) -> None:
    stage = Stage(8.0, 4.0, -2.0, 16.0)

    found = []
    for event, i in events:
        stage.happen(event, f"worker/{i}")
        found.append(stage.check())

    assert found == [""] * len(events)


# In simulations of whole runs.


@pytest.mark.parametrize("seed", range(4))
def test_what_leaks_is_what_deaths_take_and_bring_and_all_else_is_conserved(seed: int) -> None:
    _, simulation = played(run_of(seed), NETWORK, {**players.TROUBLES, **players.CRASHES})

    returns = Counter(restart.actor for restart in simulation.tally.restarts)
    found = players.leaks(simulation)
    assert simulation.broken == {}
    assert returns.total() >= 3
    assert found.pop("died") == found.pop("came back") == returns
    assert found.pop("died before its difference came", Counter()) <= returns
    begun = found.pop("began at x̃", Counter())
    assert all(begun[actor] <= returns[actor] + returns[CENTER] for actor in begun)
    assert found == {}


@pytest.mark.parametrize("seed", range(4))
def test_pauses_partitions_and_lossy_links_leak_nothing(seed: int) -> None:
    _, simulation = played(run_of(seed), NETWORK, players.TROUBLES)

    assert len(simulation.chaos.strikes) >= 5
    assert simulation.broken == {}
    assert simulation.declared.leaks == []


@pytest.mark.parametrize("planted", players.PLANTED)
def test_an_error_that_is_planted_in_a_run_is_told(planted: type) -> None:
    _, simulation = played(run_of(0, planted), NETWORK)

    assert any(f"Conservation: {OFF}" in sentence for sentence in simulation.broken)


@pytest.mark.parametrize(("tau", "faults"), [(1, {}), (5, {}), (1, players.CRASHES)])
def test_roundings_of_32_bits_raise_no_alarm(tau: int, faults: dict[str, Any]) -> None:
    _, simulation = played(players.regression_of(tau), NETWORK, faults)

    assert [report.step for report in simulation.tally.last.values()] == [220] * 2
    assert simulation.broken == {}
    assert bool(simulation.declared.leaks) == bool(faults)


@pytest.mark.parametrize("codec", ["bf16", "int8"])
@pytest.mark.parametrize(
    ("edge", "holds"), [("worker -> center", True), ("center -> worker", False)]
)
def test_a_codec_on_the_answers_is_told_and_one_on_what_is_asked_changes_nothing(
    edge: str, holds: bool, codec: str
) -> None:
    tables = wiring({"actor": Center, "alpha": 0.2}, 2, 40, 0.1, sigma=0.7, n=512, seed=0)

    _, simulation = played(tables | {"edges": {edge: {"codec": codec}}}, NETWORK)

    told = [sentence for sentence in simulation.broken if f"Conservation: {OFF}" in sentence]
    assert len(told) == len(simulation.broken)
    assert (simulation.broken == {}) == holds
