"""Plans travel, and are asked who lives where."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from tether.runners.linker import link
from tether.runners.spec import Bounds, CodecSpec, Plan

FOLDER = Path(__file__).parent / "broken"
TEXT = """
[hosts]
a = "10.0.0.1:5700"
b = "10.0.0.2:5700"
[center]
actor = "pieces:Center"
[worker]
actor = "pieces:Worker"
on = ["a/gpu0", "b/gpu0"]
center = "@center"
learner = { make = "pieces:learner", shard = "$index" }
schedule = { lr = 1, steps = [1, 2] }
"""
LIVE = """
[center]
actor = "pieces:Center"
count = { start = 2, min = 1, max = 5 }
processes = 3
"""


@pytest.fixture
def plan() -> Plan:
    return link(tomllib.loads(TEXT), FOLDER, name="easgd")


def test_a_plan_survives_the_wire(plan: Plan) -> None:
    packed = msgpack.packb(plan.to_wire())

    assert Plan.from_wire(msgpack.unpackb(packed)) == plan


def test_a_plan_knows_its_actors_by_name_and_by_table(plan: Plan) -> None:
    assert plan.actor("center") == plan.actor("center/0")
    assert [spec.name for spec in plan.table("worker")] == ["worker/0", "worker/1"]


def test_an_actor_that_is_not_there_is_told_with_those_that_are(plan: Plan) -> None:
    with pytest.raises(KeyError, match="easgd has no actor 'woker'; it has center/0, worker/0"):
        plan.actor("woker")


def test_the_first_host_is_home_and_each_has_its_processes(plan: Plan) -> None:
    assert plan.home == "a"
    assert list(plan.processes("a")) == ["center-0", "worker-0"]
    assert list(plan.processes("b")) == ["worker-1"]
    assert plan.processes() == {}


def test_a_live_plan_survives_the_wire_with_its_bounds() -> None:
    plan = link(tomllib.loads(LIVE), FOLDER, name="live")

    back = Plan.from_wire(msgpack.unpackb(msgpack.packb(plan.to_wire())))

    assert back == plan
    assert back.bounds == {"center": Bounds(start=2, min=1, max=5)}
    assert str(back.bounds["center"]) == "1 to 5"


def test_a_plan_with_codecs_survives_the_wire_and_one_without_is_an_older_one(plan: Plan) -> None:
    some = replace(plan, codecs=(CodecSpec("worker", "center", "topk", {"share": 0.01}),))
    older = {key: value for key, value in plan.to_wire().items() if key != "codecs"}

    assert Plan.from_wire(msgpack.unpackb(msgpack.packb(some.to_wire()))) == some
    assert Plan.from_wire(older) == plan


def test_a_codec_is_told_with_its_parameters() -> None:
    spec = CodecSpec("worker", "center", "topk", {"share": 0.01})

    assert (spec.edge, str(spec)) == ("worker -> center", "topk, share 0.01")


def test_what_starts_is_a_plan_of_its_own_and_who_comes_later_has_a_process() -> None:
    plan = link(tomllib.loads(LIVE), FOLDER, name="live")

    starting = plan.starting().processes()

    assert {name: len(specs) for name, specs in starting.items()} == {"center-0": 1, "center-1": 1}
    assert {name: len(specs) for name, specs in plan.processes().items()} == {
        "center-0": 2,
        "center-1": 2,
        "center-2": 1,
    }
    assert plan.actor("center/4").process == "center-1"


def test_all_of_a_fixed_plan_starts(plan: Plan) -> None:
    assert plan.starting() == plan
    assert plan.bounds == {}
