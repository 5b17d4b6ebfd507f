"""Times, rates and shares as people write them in a file."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import sentences
from tether.runners.problems import Problems, Where
from tether.runners.quantities import RATES, SECONDS, factor, rate, seconds, share

Reader = Callable[[Any, Where, Problems], float]
WHERE = Where("network").at("resend")
NUMBERS = st.integers(0, 10**9) | st.decimals(0, 10**6, places=3).map(str) | st.just("2.5e-3")


def read(reader: Reader, raw: Any) -> tuple[float, list[str]]:
    problems = Problems()
    return reader(raw, WHERE, problems), sentences(problems)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("20ms", 0.02),
        ("3s", 3.0),
        ("5m", 300.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("250us", 250e-6),
        ("0.5 s", 0.5),
        ("1e-3s", 1e-3),
        ("7", 7.0),
        (3, 3.0),
        (0.25, 0.25),
        (0, 0.0),
    ],
)
def test_a_time_is_a_number_of_seconds_or_has_a_unit(raw: Any, wanted: float) -> None:
    value, told = read(seconds, raw)

    assert value == pytest.approx(wanted, rel=1e-15)
    assert told == []


@pytest.mark.parametrize(
    "raw", ["", "ms", "20mss", "-3s", "3 weeks", -1, math.nan, math.inf, True, None, ["20ms"], {}]
)
def test_what_is_no_time_is_told_what_one_looks_like(raw: Any) -> None:
    value, told = read(seconds, raw)

    assert value == 0.0
    assert len(told) == 1
    assert told[0].startswith("[network] resend = ")
    assert told[0].endswith(
        ': a time of 0 or more is wanted: seconds, or a text such as "20ms", "3s", "5m"'
    )


def test_what_was_found_stands_beside_what_was_wanted() -> None:
    _, told = read(seconds, "3 weeks")

    assert told == [
        (
            "[network] resend = '3 weeks': a time of 0 or more is wanted: seconds, or a text such "
            'as "20ms", "3s", "5m"'
        )
    ]


def test_an_endless_time_is_no_time() -> None:
    value, told = read(seconds, "1e999s")

    assert (value, len(told)) == (0.0, 1)


def test_a_large_time_written_out_is_read_back_as_itself() -> None:
    assert read(seconds, f"{1e16!r}s") == (1e16, [])


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("1B/s", 1.0),
        ("2kB/s", 2e3),
        ("1.5MB/s", 1.5e6),
        ("1GB/s", 1e9),
        ("8bit/s", 1.0),
        ("8kbit/s", 1e3),
        ("100Mbit/s", 12.5e6),
        ("10 Gbit/s", 1.25e9),
    ],
)
def test_a_rate_is_in_bytes_or_in_bits_a_second(raw: str, wanted: float) -> None:
    assert read(rate, raw) == (wanted, [])


@pytest.mark.parametrize("raw", ["1GB", "0GB/s", "-1GB/s", "1gb/s", "1GB/h", 5, 1e9, None, "fast"])
def test_what_is_no_rate_is_told_what_one_looks_like(raw: Any) -> None:
    value, told = read(rate, raw)

    assert value == math.inf
    assert len(told) == 1
    assert told[0].endswith(': a rate above 0 is wanted, such as "1GB/s" or "100Mbit/s"')


@pytest.mark.parametrize("raw", [0, 1, 0.05])
def test_a_share_is_a_probability(raw: float) -> None:
    assert read(share, raw) == (raw, [])


@pytest.mark.parametrize("raw", [-0.1, 1.5, "5%", True, math.nan])
def test_what_is_no_share_is_told_so(raw: Any) -> None:
    value, told = read(share, raw)

    assert value == 0.0
    assert len(told) == 1
    assert told[0].endswith(": a share from 0 to 1 is wanted")


@pytest.mark.parametrize("raw", [0.5, 4, 1e-9])
def test_a_factor_is_above_0(raw: float) -> None:
    assert read(factor, raw) == (raw, [])


@pytest.mark.parametrize("raw", [0, -2, "4x", False, math.inf])
def test_what_is_no_factor_is_told_so(raw: Any) -> None:
    value, told = read(factor, raw)

    assert value == 1.0
    assert len(told) == 1
    assert told[0].endswith(": a factor above 0 is wanted")


@given(NUMBERS, st.sampled_from([*SECONDS]), st.sampled_from(["", " ", "  "]))
def test_any_number_of_any_unit_of_time_is_read_as_that_many(
    number: Any, unit: str, space: str
) -> None:
    assert read(seconds, f"{number}{space}{unit}") == (float(number) * SECONDS[unit], [])


@given(st.integers(1, 10**9), st.sampled_from([*RATES]))
def test_any_number_of_any_unit_of_rates_is_read_as_that_many(number: int, unit: str) -> None:
    assert read(rate, f"{number}{unit}/s") == (number * RATES[unit], [])


@given(st.floats(0, 1e15))
def test_a_time_written_out_is_read_back_as_itself(time: float) -> None:
    assert read(seconds, time) == (time, [])
    assert read(seconds, f"{time!r}s") == (time, [])


@given(st.floats(0, 1))
def test_a_share_written_out_is_read_back_as_itself(probability: float) -> None:
    assert read(share, probability) == (probability, [])


@given(st.text() | st.floats() | st.booleans() | st.none() | st.lists(st.integers()))
def test_anything_is_a_time_of_0_or_more_or_one_complaint(raw: Any) -> None:
    value, told = read(seconds, raw)

    assert value >= 0
    assert len(told) <= 1
    assert not told or value == 0
