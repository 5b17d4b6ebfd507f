"""References: what texts mean, and which actors they choose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.problems import Problems, Where
from tether.runners.references import Reference, Seat, Word, indices, parse, resolve, unsteady
from tether.runners.spec import Bounds

COUNTS = st.integers(1, 50)
WHERE = Where("worker", ("peers",))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("@center", Reference("center", "")),
        ("@worker[*]", Reference("worker", "*")),
        ("@peer[others]", Reference("peer", "others")),
        ("@peer[+1]", Reference("peer", "+1")),
        ("@predictor[=]", Reference("predictor", "=")),
        ("$index", Word("index")),
        ("@@center", "@center"),
        ("$$index", "$index"),
        ("mail @center", "mail @center"),
        ("@center stage", "@center stage"),
        ("$5.00", "$5.00"),
        ("", ""),
    ],
)
def test_a_text_means_a_reference_only_as_a_whole(text: str, meaning: object) -> None:
    assert parse(text) == meaning


@given(st.text())
def test_any_text_can_be_written_by_doubling_its_sign(text: str) -> None:
    written = text[0] + text if text[:1] in ("@", "$") else text

    assert parse(written) == text


@given(COUNTS, st.data())
def test_a_ring_s_neighbours_are_each_other_s(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    step = data.draw(st.integers(0, 2 * count))

    (ahead,) = indices(f"+{step}", index, count)

    assert 0 <= ahead < count
    assert indices(f"-{step}", ahead, count) == (index,)


@given(COUNTS)
def test_steps_of_one_go_once_around_the_ring(count: int) -> None:
    visited = [0]

    for _ in range(count):
        visited += indices("+1", visited[-1], count)

    assert sorted(visited[:-1]) == list(range(count))
    assert visited[-1] == 0


@given(COUNTS, st.data())
def test_the_others_and_oneself_are_all(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))

    others = indices("others", index, count)

    assert sorted((*others, index)) == list(indices("*", index, count))


@given(COUNTS, st.integers(0, 200))
def test_the_one_of_my_index_is_shared_evenly(count: int, index: int) -> None:
    assert indices("=", index, count) == (index % count,)


def test_me_is_the_actor_itself() -> None:
    problems = Problems()

    names = resolve(Reference("me", ""), Seat("worker", 3), {"worker": 5}, WHERE, problems)

    assert names == ("worker/3",)
    assert not len(problems)


def test_a_plain_reference_to_a_single_actor_names_it() -> None:
    problems = Problems()

    names = resolve(Reference("center", ""), Seat("worker", 3), {"center": 1}, WHERE, problems)

    assert names == ("center/0",)


def test_a_reference_that_chooses_nobody_returns_none_and_is_reported() -> None:
    problems = Problems()

    names = resolve(Reference("center", "9"), Seat("worker", 3), {"center": 2}, WHERE, problems)

    assert names is None
    assert len(problems) == 1


LIVE = {"worker": Bounds(start=4, min=2, max=6), "center": Bounds(start=1, min=1, max=1)}


@pytest.mark.parametrize(
    ("text", "steady"),
    [
        ("@worker", False),
        ("@worker[0]", True),
        ("@worker[1]", True),
        ("@worker[2]", False),
        ("@worker[9]", False),
        ("@worker[=]", False),
        ("@worker[+1]", False),
        ("@worker[-1]", False),
        ("@worker[*]", True),
        ("@worker[others]", True),
        ("@me", True),
        ("@center", True),
        ("@center[=]", True),
    ],
)
def test_a_reference_to_a_live_table_names_only_who_is_always_there(
    text: str, steady: bool
) -> None:
    problems = Problems()
    reference = parse(text)
    assert isinstance(reference, Reference)

    seat = Seat("worker", 3, LIVE)
    names = resolve(reference, seat, {"worker": 6, "center": 1}, WHERE, problems)

    assert (names is not None) == steady == (not len(problems))


@given(st.integers(1, 8), st.integers(0, 8), st.integers(0, 20))
def test_an_index_below_the_least_number_is_steady(least: int, more: int, index: int) -> None:
    fault = unsteady(Reference("worker", str(index)), Bounds(least, least, least + more))

    assert bool(fault) == (more > 0 and index >= least)
