"""How long something takes: as a file says it, and as it is drawn."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import sentences
from tether.runners.distribution import Distribution, Kind, fixed, read
from tether.runners.problems import Problems, Where

TIMES = st.floats(0, 1e6)
SEEDS = st.integers(0, 2**32)


def found(raw: Any, folder: Path = Path()) -> tuple[Distribution, list[str]]:
    problems = Problems()
    return read(raw, Where("network").at("start"), problems, folder), sentences(problems)


def drawn(kind: Kind, *numbers: float, seed: int = 1, count: int = 50) -> list[float]:
    draw = Distribution(kind, numbers).sampler(Random(seed))
    return [draw() for _ in range(count)]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("20ms", fixed(0.02)),
        (3, fixed(3.0)),
        ({"uniform": ["10ms", "30ms"]}, Distribution("uniform", (0.01, 0.03))),
        ({"lognormal": ["20ms", 0.3]}, Distribution("lognormal", (0.02, 0.3))),
        ({"exponential": "5s"}, Distribution("exponential", (5.0,))),
        ({"exponential": ["5s"]}, Distribution("exponential", (5.0,))),
        ({"trace": ["1s", 2, "500ms"]}, Distribution("trace", (1.0, 2.0, 0.5))),
    ],
)
def test_a_distribution_is_a_time_or_a_kind_with_its_numbers(
    raw: Any, wanted: Distribution
) -> None:
    assert found(raw) == (wanted, [])


def test_a_trace_may_lie_in_a_file_beside_the_one_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("0.25\n3ms\n1e-3\n")

    assert found({"trace": "times.txt"}, tmp_path) == (
        Distribution("trace", (0.25, 0.003, 0.001)),
        [],
    )


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (
            {"unifrom": ["1s", "2s"]},
            (
                "[network] start = {'unifrom': ['1s', '2s']}: there is no such distribution (did "
                "you mean uniform?); there are uniform, lognormal, exponential, trace"
            ),
        ),
        (
            {},
            (
                "[network] start = {}: there is no such distribution; there are uniform, "
                "lognormal, exponential, trace"
            ),
        ),
        (
            {"uniform": ["1s"]},
            (
                "[network] start.uniform = ['1s']: the shortest and the longest are wanted, as "
                '["10ms", "30ms"]'
            ),
        ),
        (
            {"uniform": ["2s", "1s"]},
            (
                "[network] start.uniform = ['2s', '1s']: the shortest and the longest are wanted, "
                'as ["10ms", "30ms"]'
            ),
        ),
        (
            {"lognormal": "20ms"},
            (
                "[network] start.lognormal = '20ms': the median and σ of the logarithm are wanted, "
                'as ["20ms", 0.3]'
            ),
        ),
        (
            {"exponential": []},
            '[network] start.exponential = []: the mean is wanted, as "5s"',
        ),
        (
            {"trace": []},
            "[network] start.trace = []: times are wanted, or a file with one in each line",
        ),
        (
            {"trace": 5},
            "[network] start.trace = 5: times are wanted, or a file with one in each line",
        ),
        (
            "soon",
            (
                "[network] start = 'soon': a time of 0 or more is wanted: seconds, or a text such "
                'as "20ms", "3s", "5m"'
            ),
        ),
    ],
)
def test_what_is_no_distribution_is_told_what_is_wanted(raw: Any, told: str) -> None:
    distribution, complaints = found(raw)

    assert complaints == [told]
    assert distribution.numbers


def test_two_kinds_at_once_are_no_distribution() -> None:
    _, (told,) = found({"uniform": ["1s", "2s"], "exponential": "1s"})

    assert "there is no such distribution" in told


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    distribution, (told,) = found({"trace": "times.txt"}, tmp_path)

    assert told.startswith("[network] start.trace = 'times.txt': this file cannot be read: [Errno")
    assert distribution.is_zero


def test_a_file_that_is_no_text_or_empty_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_text("\n")

    _, (no_text,) = found({"trace": "bytes"}, tmp_path)
    _, (empty,) = found({"trace": "empty"}, tmp_path)

    assert "this file cannot be read: 'utf-8' codec" in no_text
    assert empty.endswith("times are wanted, or a file with one in each line")


def test_each_bad_line_of_a_file_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "times").write_text("1ms\nsoon\n-1\nnan\n")

    _, told = found({"trace": "times"}, tmp_path)

    assert [sentence.partition(":")[0] for sentence in told] == [
        "[network] start.trace = 'soon'",
        "[network] start.trace = '-1'",
        "[network] start.trace = 'nan'",
    ]


def test_a_fixed_time_is_always_the_same() -> None:
    assert drawn("fixed", 0.25, count=3) == [0.25, 0.25, 0.25]


def test_a_trace_is_gone_through_again_and_again() -> None:
    assert drawn("trace", 1.0, 2.0, 0.5, count=7) == [1.0, 2.0, 0.5, 1.0, 2.0, 0.5, 1.0]


def test_a_lognormal_without_spread_is_its_median() -> None:
    assert drawn("lognormal", 0.02, 0.0, count=3) == [0.02, 0.02, 0.02]


def test_many_draws_lie_about_the_numbers_of_their_kind() -> None:
    lognormal = drawn("lognormal", 0.02, 0.5, count=4000)
    exponential = drawn("exponential", 5.0, count=4000)
    uniform = drawn("uniform", 1.0, 3.0, count=4000)

    assert median(lognormal) == pytest.approx(0.02, rel=0.05)
    assert math.sqrt(fmean(math.log(x / 0.02) ** 2 for x in lognormal)) == pytest.approx(
        0.5, rel=0.05
    )
    assert fmean(exponential) == pytest.approx(5.0, rel=0.05)
    assert fmean(uniform) == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("distribution", "wanted"),
    [
        (fixed(0.0), True),
        (fixed(1e-9), False),
        (Distribution("uniform", (0.0, 0.0)), True),
        (Distribution("uniform", (0.0, 1.0)), False),
        (Distribution("trace", (0.0, 0.0)), True),
    ],
)
def test_what_is_always_0_is_known(distribution: Distribution, wanted: bool) -> None:
    assert distribution.is_zero is wanted


@given(st.sampled_from(["uniform", "lognormal", "exponential"]), SEEDS)
def test_the_same_seed_draws_the_same_times(kind: Kind, seed: int) -> None:
    numbers = (0.5,) if kind == "exponential" else (0.5, 0.75)

    assert drawn(kind, *numbers, seed=seed) == drawn(kind, *numbers, seed=seed)
    assert drawn(kind, *numbers, seed=seed) != drawn(kind, *numbers, seed=seed + 1)


@given(TIMES, TIMES, SEEDS)
def test_uniform_times_lie_between_the_shortest_and_the_longest(
    one: float, other: float, seed: int
) -> None:
    least, most = sorted((one, other))

    assert all(least <= time <= most for time in drawn("uniform", least, most, seed=seed))


@given(TIMES, st.floats(0, 10), SEEDS)
def test_no_time_is_below_0_or_endless(time: float, sigma: float, seed: int) -> None:
    times = drawn("lognormal", time, sigma, seed=seed) + drawn("exponential", time, seed=seed)

    assert all(0 <= time < math.inf for time in times)


@given(st.lists(TIMES, min_size=1), st.integers(0, 30))
def test_a_trace_gives_its_own_times_in_its_order(times: list[float], rounds: int) -> None:
    count = rounds * len(times)

    assert drawn("trace", *times, count=count) == times * rounds


@given(st.lists(TIMES, min_size=1))
def test_times_written_into_a_file_are_read_back_as_themselves(times: list[float]) -> None:
    assert found({"trace": [f"{time!r}s" for time in times]}) == (
        Distribution("trace", tuple(times)),
        [],
    )
