"""Which process each actor lives in."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tether.runners.linker import link
from tether.runners.placement import MOST, missing_gpus
from tether.runners.problems import WiringError
from tether.runners.spec import Plan

BROKEN = Path(__file__).parent / "broken"
HOSTS = '[hosts]\na = "10.0.0.1:5700"\nb = "10.0.0.2:5700"\n'


def table(name: str, keys: str = "") -> str:
    return f'[{name}]\nactor = "pieces:Center"\n{keys}\n'


def linked(text: str) -> Plan:
    return link(tomllib.loads(text), BROKEN, name="wiring")


def processes(plan: Plan, name: str) -> list[str]:
    return [spec.process for spec in plan.table(name)]


def test_an_actor_has_a_process_of_its_own() -> None:
    plan = linked(table("center") + table("worker", "count = 3"))

    assert [spec.process for spec in plan] == ["center-0", "worker-0", "worker-1", "worker-2"]


def test_places_are_dealt_round_robin() -> None:
    plan = linked(HOSTS + table("worker", 'on = ["a", "b"]\ncount = 4'))

    assert [spec.host for spec in plan] == ["a", "b", "a", "b"]


def test_count_is_the_number_of_places_unless_it_is_given() -> None:
    plan = linked(HOSTS + table("worker", 'on = ["a/gpu0", "a/gpu1", "b/gpu0"]'))

    assert [spec.count for spec in plan] == [3, 3, 3]


def test_processes_are_shared_round_robin() -> None:
    plan = linked(table("worker", "count = 5\nprocesses = 2"))

    assert processes(plan, "worker") == ["worker-0", "worker-1", "worker-0", "worker-1", "worker-0"]


def test_beside_is_the_process_of_the_one_of_my_index() -> None:
    plan = linked(
        table("worker", "count = 2")
        + table("trainer", 'beside = "worker"\ncount = 3')
        + table("probe", 'beside = "trainer"\ncount = 3')
    )

    assert processes(plan, "trainer") == ["worker-0", "worker-1", "worker-0"]
    assert processes(plan, "probe") == ["worker-0", "worker-1", "worker-0"]


def test_beside_a_gpu_is_on_that_gpu() -> None:
    plan = linked(table("probe", 'beside = "worker"') + table("worker", 'on = "gpu2"'))

    assert [(spec.device, spec.gpu) for spec in plan] == [("cuda:0", 2), ("cuda:0", 2)]


LIVE = "count = { start = 2, min = 2, max = 5 }"


def test_whoever_joins_later_has_a_process_or_shares_one() -> None:
    apart = linked(table("worker", "count = { start = 1, min = 1, max = 18 }"))
    shared = linked(table("worker", LIVE + "\nprocesses = 2"))

    assert processes(apart, "worker") == [f"worker-{index % 16}" for index in range(18)]
    assert processes(shared, "worker") == [f"worker-{index % 2}" for index in range(5)]


def test_places_of_a_live_table_are_dealt_round_robin_to_all_who_may_join() -> None:
    keys = 'on = ["a", "b"]\ncount = { start = 3, min = 1, max = 4 }'

    plan = linked(HOSTS + table("worker", keys))

    assert [spec.host for spec in plan] == ["a", "b", "a", "b"]
    assert [spec.host for spec in plan.starting()] == ["a", "b", "a"]


def test_a_fixed_table_lives_beside_those_of_a_live_one_who_are_always_there() -> None:
    plan = linked(table("worker", LIVE) + table("probe", 'beside = "worker"\ncount = 3'))

    assert processes(plan, "probe") == ["worker-0", "worker-1", "worker-0"]


def test_a_live_table_lives_beside_a_fixed_one_or_one_that_is_as_live() -> None:
    plan = linked(
        table("worker", "count = 2")
        + table("probe", f'beside = "worker"\n{LIVE}')
        + table("trainer", f'beside = "probe"\n{LIVE}')
    )

    wanted = ["worker-0", "worker-1", "worker-0", "worker-1", "worker-0"]
    assert processes(plan, "probe") == processes(plan, "trainer") == wanted


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 40))
def test_a_process_has_one_place_and_a_table_a_bounded_number_of_them(
    places: int, rounds: int
) -> None:
    on = [f"{host}/cpu" for host in "abcdef"[:places]]
    hosts = "".join(f'{host} = "10.0.0.{ord(host)}:5700"\n' for host in "abcdef")

    plan = linked(f"[hosts]\n{hosts}" + table("worker", f"on = {on}\ncount = {places * rounds}"))

    seats = {(spec.process, spec.host) for spec in plan}
    assert len(seats) == len({process for process, _ in seats}) <= MOST
    assert len(seats) >= min(places * rounds, MOST - places + 1)


def test_processes_that_a_table_asks_for_may_share_a_gpu() -> None:
    plan = linked(table("worker", 'on = "gpu0"\ncount = 4\nprocesses = 2'))

    assert len(plan.processes()) == 2
    assert {spec.gpu for spec in plan} == {0}


def test_one_gpu_number_on_two_hosts_is_two_gpus() -> None:
    plan = linked(HOSTS + table("worker", 'on = ["a/gpu0", "b/gpu0"]'))

    assert len(plan.actors) == 2


def test_a_gpu_booked_by_a_table_that_does_not_ask_to_share_is_a_fault() -> None:
    text = table("center", 'on = "gpu0"') + table("worker", 'on = "gpu0"\nprocesses = 1')

    with pytest.raises(WiringError, match=r"\[center\] and \[worker\]: gpu0 is booked by 2"):
        linked(text)


def test_gpus_that_a_host_lacks_are_told_by_table() -> None:
    plan = linked(HOSTS + table("worker", 'on = ["a/gpu0", "b/gpu0", "b/gpu1"]'))

    assert missing_gpus(plan, 1, "a") == []
    assert missing_gpus(plan, 0, "b") == [
        "[worker] on: gpu0, gpu1 of host b is wanted, but it has 0 GPUs"
    ]
