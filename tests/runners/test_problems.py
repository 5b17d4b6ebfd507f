"""How faults are collected and written."""

from __future__ import annotations

import pytest

from tether.runners.problems import Problems, Where, WiringError, listed, nearest, written


def test_a_fault_told_twice_is_one_fault() -> None:
    problems = Problems()
    problems.add("[worker] tau", "an int is wanted")
    problems.add("[worker] tau", "an int is wanted")
    problems.add("", "there are no actors")

    with pytest.raises(WiringError) as caught:
        problems.check()

    assert caught.value.problems == ("[worker] tau: an int is wanted", "there are no actors")


def test_without_faults_nothing_is_raised() -> None:
    problems = Problems()

    problems.check()

    assert len(problems) == 0


def test_a_place_is_written_as_the_file_s_reader_finds_it() -> None:
    where = Where("worker").at("learner").at("shards").at(2).at("name")

    assert str(Where("worker")) == "[worker]"
    assert str(where) == "[worker] learner.shards[2].name"
    assert where.holds("x") == "[worker] learner.shards[2].name = 'x'"


def test_long_values_are_cut_and_booleans_are_toml_s() -> None:
    assert written(True) == "true"
    assert len(written("x" * 1000)) <= 60


def test_near_names_are_suggested_and_far_ones_are_not() -> None:
    assert nearest("tua", ["tau", "alpha"]) == " (did you mean tau?)"
    assert nearest("zzz", ["tau", "alpha"]) == ""
    assert listed([]) == "nothing"
