"""The tables [hosts] and [run]."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tether.runners.hosts import read_hosts, read_run
from tether.runners.problems import Problems
from tether.runners.spec import MIB, RunSpec


def test_hosts_keep_the_file_s_order_and_may_be_numbers_or_names() -> None:
    problems = Problems()

    hosts = read_hosts({"b": "node-1.lan:5700", "a": "[fe80::1]:5700"}, problems)

    assert list(hosts) == ["b", "a"]
    assert not len(problems)


def test_without_a_run_table_the_defaults_hold() -> None:
    run = read_run({}, "easgd", Problems())

    assert run == RunSpec("easgd")
    assert (run.messages, run.bytes) == (64, 64 * MIB)


def test_every_key_of_run_can_be_given() -> None:
    given = asdict(RunSpec("mine", device="cpu")) | {"seed": 7, "beat": 2, "lost": 90}

    problems = Problems()
    run = read_run(given, "easgd", problems)

    assert not len(problems)
    assert (run.name, run.seed, run.beat, run.lost) == ("mine", 7, 2.0, 90.0)
    assert isinstance(run.beat, float)


@pytest.mark.parametrize(("given", "seconds"), [(0, 0.0), (2.5, 2.5), (None, 10.0)])
def test_checkpoints_may_be_left_out_by_a_zero(given: float | None, seconds: float) -> None:
    problems = Problems()

    run = read_run({} if given is None else {"checkpoint": given}, "easgd", problems)

    assert not len(problems)
    assert run.checkpoint == seconds


@pytest.mark.parametrize("key", ["beat", "stall", "checkpoint"])
@pytest.mark.parametrize("value", [-1, True, "1", float("nan")])
def test_times_are_numbers_of_seconds(key: str, value: object) -> None:
    problems = Problems()

    run = read_run({key: value}, "easgd", problems)

    assert len(problems) == 1
    assert run == RunSpec("easgd")
