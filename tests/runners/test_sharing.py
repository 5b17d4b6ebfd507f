"""One object for all who live together."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tether.runners.linker import link
from tether.runners.problems import WiringError
from tether.runners.sharing import shared_key
from tether.runners.spec import ListValue, Make, Plan

BROKEN = Path(__file__).parent / "broken"
SHARED = '{ make = "pieces:learner", shard = 1, share = "process" }'
CENTER = '[center]\nactor = "pieces:Center"\n'


def linked(text: str) -> Plan:
    return link(tomllib.loads(text), BROKEN, name="wiring")


def test_the_same_factory_and_arguments_are_the_same_object() -> None:
    inner = Make("m:g", {"a": 1}, where="[one] x")
    one = Make("m:f", {"x": ListValue((inner,))}, share=True, where="[one]")
    other = Make("m:f", {"x": ListValue((Make("m:g", {"a": 1}),))}, share=True, where="[two]")

    assert shared_key(one) == shared_key(other)


@pytest.mark.parametrize(
    "other",
    [Make("m:g", {"a": 1}), Make("m:f", {"a": 2}), Make("m:f", {"a": True}), Make("m:f", {})],
)
def test_another_factory_or_argument_is_another_object(other: Make) -> None:
    assert shared_key(Make("m:f", {"a": 1})) != shared_key(other)


def test_tables_beside_each_other_may_share() -> None:
    other = f'[other]\nactor = "pieces:Center"\nbeside = "center"\nx = {SHARED}\n'

    plan = linked(f"{CENTER}x = {SHARED}\n{other}")

    assert len(plan.processes()) == 1


def test_actors_of_a_table_that_asks_for_processes_may_share() -> None:
    plan = linked(f"{CENTER}count = 4\nprocesses = 2\nx = {SHARED}\n")

    assert len(plan.processes()) == 2


def test_a_live_table_may_share_in_the_processes_it_asks_for() -> None:
    live = "count = { start = 1, min = 1, max = 4 }"

    plan = linked(f"{CENTER}{live}\nprocesses = 2\nx = {SHARED}\n")

    assert len(plan.starting().processes()) == 1


def test_sharing_across_processes_is_refused() -> None:
    text = (
        f"{CENTER}processes = 1\nx = {SHARED}\n"
        + f"{CENTER}processes = 1\nx = {SHARED}\n".replace("[center]", "[other]")
    )

    with pytest.raises(WiringError, match=r"\[other\] x: \[center\] shares this too, but from"):
        linked(text)
