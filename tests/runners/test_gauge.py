"""How stale messages are, and how far learners are apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tether.runners import gauge
from tether.runners.gauge import LOOKS, Age, Disagreement, Look, Staleness, learned, quantile


def learner(*x: float) -> Any:
    """Return an actor that learns a vector."""
    return SimpleNamespace(learner=SimpleNamespace(x=torch.tensor(x)))


def looked(count: int) -> Disagreement:
    """Return what is kept after so many looks, a second apart, at two learners that move apart."""
    found = Disagreement()
    for t in range(count):
        found.look(float(t), {"worker/0": learner(0.0), "worker/1": learner(2.0 * t)})
    return found


def test_ages_are_gathered_by_the_tables_of_sender_and_receiver() -> None:
    staleness = Staleness(Random(7))

    staleness.add("worker/0", "center/0", 0.5, 3)
    staleness.add("worker/12", "center/0", 0.25, 9)
    staleness.add("center/0", "worker/0", 1.0, 0)

    there, back = staleness.edges["worker", "center"], staleness.edges["center", "worker"]
    assert (there.count, there.oldest, there.most) == (2, 0.5, 9)
    assert there.samples == [Age(0.5, 3), Age(0.25, 9)]
    assert (back.count, back.oldest, back.most) == (1, 1.0, 0)


def test_of_many_ages_a_sample_is_kept_in_which_each_has_the_same_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gauge, "SAMPLES", 100)
    staleness = Staleness(Random(7))

    for number in range(10_000):
        staleness.add("worker/0", "center/0", 1.0, number)

    ages = staleness.edges["worker", "center"]
    numbers = [age.messages for age in ages.samples]
    assert (ages.count, ages.most, len(numbers)) == (10_000, 9_999, 100)
    assert len(set(numbers)) == 100
    assert 4_000 < sum(numbers) / 100 < 6_000


def test_the_same_seed_keeps_the_same_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "SAMPLES", 10)
    one, other = Staleness(Random(7)), Staleness(Random(7))

    for staleness in (one, other):
        for number in range(1000):
            staleness.add("worker/0", "center/0", 1.0, number)

    assert one.edges == other.edges


def test_learners_are_as_far_apart_as_from_their_mean() -> None:
    disagreement = Disagreement()

    disagreement.look(
        2.5, {"worker/0": learner(0, 0), "worker/1": learner(0, 6), "worker/2": learner(0, 0)}
    )

    (look,) = disagreement.tables["worker"]  # from (0, 2): 2, 4 and 2
    assert look == pytest.approx(Look(2.5, 8 / 3, 4.0))


def test_each_table_of_two_learners_or_more_is_looked_at() -> None:
    disagreement = Disagreement()
    actors = {"a/0": learner(1), "a/1": learner(3), "b/0": learner(1), "c/0": SimpleNamespace()}

    disagreement.look(0.0, actors)

    assert disagreement.tables == {"a": [Look(0.0, 1.0, 1.0)]}


def test_only_vectors_of_one_size_are_compared() -> None:
    actors = {
        "worker/0": learner(1, 2),
        "worker/1": learner(1, 2, 3),
        "worker/2": learner(3, 4),
        "center/0": SimpleNamespace(x=torch.zeros(2)),
        "evaluator/0": SimpleNamespace(learner=SimpleNamespace(x=None)),
    }

    found = learned(actors)

    assert [x.tolist() for x in found["worker"]] == [[1, 2], [3, 4]]
    assert [*found] == ["worker"]


def test_looks_that_are_too_many_are_thinned_over_the_whole_run() -> None:
    (few,) = looked(LOOKS).tables.values()
    (many,) = looked(5 * LOOKS).tables.values()

    assert [look.t for look in few] == [float(t) for t in range(LOOKS)]
    times = [0.0, *(look.t for look in many), 5.0 * LOOKS]
    assert LOOKS // 2 <= len(many) <= LOOKS
    assert all(after - before <= 16 for before, after in pairwise(times))
    assert all(look.mean == look.largest == look.t for look in many)


@pytest.mark.parametrize(
    ("numbers", "share", "wanted"),
    [
        ([], 0.5, 0.0),
        ([3.0], 0.99, 3.0),
        ([1, 2, 3, 4], 0.0, 1.0),
        ([1, 2, 3, 4], 0.5, 3.0),
        ([1, 2, 3, 4], 1.0, 4.0),
    ],
)
def test_a_quantile_is_one_of_the_numbers(
    numbers: Sequence[float], share: float, wanted: float
) -> None:
    assert quantile(numbers, share) == wanted


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_below_a_quantile_lies_its_share_of_the_numbers(numbers: list[float], share: float) -> None:
    ranked = sorted(numbers)

    value = quantile(ranked, share)

    assert sum(number < value for number in ranked) <= share * len(ranked)
    assert value in ranked


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8), st.floats(-100, 100))
def test_disagreement_does_not_see_where_all_learners_are(xs: list[float], moved: float) -> None:
    here, there = Disagreement(), Disagreement()

    here.look(0.0, {f"worker/{n}": learner(x, 0.0) for n, x in enumerate(xs)})
    there.look(0.0, {f"worker/{n}": learner(x + moved, moved) for n, x in enumerate(xs)})

    (one,), (other,) = here.tables["worker"], there.tables["worker"]
    assert one == pytest.approx(other, abs=1e-4)
    assert 0 <= one.mean <= one.largest + 1e-9
