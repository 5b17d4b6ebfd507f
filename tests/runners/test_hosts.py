"""The tables [hosts] and [run]."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from tether.runners.hosts import exposed, read_hosts, read_run
from tether.runners.problems import Problems, WiringError
from tether.runners.spec import MIB, Plan, RunSpec


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


@pytest.mark.parametrize("key", ["beat", "stall", "checkpoint", "spin"])
@pytest.mark.parametrize("value", [-1, True, "1", float("nan")])
def test_times_are_numbers_of_seconds(key: str, value: object) -> None:
    problems = Problems()

    run = read_run({key: value}, "easgd", problems)

    assert len(problems) == 1
    assert run == RunSpec("easgd")


@pytest.mark.parametrize("address", ["0.0.0.0:5700", "[::]:5700", "0:5700", "*:5700"])
def test_an_address_of_all_interfaces_is_none_that_others_could_reach(address: str) -> None:
    problems = Problems()

    read_hosts({"a": address}, problems)

    with pytest.raises(WiringError, match=r'to listen on all, write bind = "all" in \[run\]'):
        problems.check()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("encryption", "maybe", r"\[run\] encryption = 'maybe': one of on, control, off is wanted"),
        ("encryption", False, r"\[run\] encryption = false: one of on, control, off is wanted"),
        ("bind", "everything", r"\[run\] bind = 'everything': one of address, all is wanted"),
    ],
)
def test_a_choice_that_there_is_not_is_told(key: str, value: object, told: str) -> None:
    problems = Problems()

    read_run({key: value}, "easgd", problems)

    with pytest.raises(WiringError, match=told):
        problems.check()


def plan(hosts: int, encryption: str, bind: str = "address") -> Plan:
    run = RunSpec("easgd", encryption=encryption, bind=bind)
    addresses = {f"h{k}": f"10.0.0.{k}:5700" for k in range(1, hosts + 1)}
    return Plan(run=run, hosts=addresses, actors=(), folder=Path())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (plan(2, "on"), []),
        (plan(2, "off"), ['WARNING: encryption = "off": nothing between hosts is encrypted']),
        (plan(2, "control"), ['WARNING: encryption = "control": tensors travel between hosts un']),
        (plan(2, "on", "all"), ['WARNING: bind = "all": every process listens on all interfaces']),
        (plan(1, "off", "all"), []),
        (plan(0, "off", "all"), []),
    ],
)
def test_what_is_open_to_the_network_is_told_loudly(given: Plan, told: list[str]) -> None:
    warnings = exposed(given)

    assert [warning[: len(text)] for warning, text in zip(warnings, told, strict=True)] == told
