"""Building actors from their specs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import torch

from tether.actors.group import Group, live_group, live_of
from tether.actors.membership import Membership
from tether.actors.ref import Ref
from tether.runners.build import build
from tether.runners.linker import link
from tether.runners.spec import GroupOf, Plan


class Rule(Enum):
    MEAN = "mean"


@dataclass
class Schedule:
    lr: float
    steps: tuple[int, ...] = ()


class Net:
    def __init__(self, width: int, device: torch.device | None = None) -> None:
        if width < 1:
            raise ValueError(f"a net of width {width} has no parameters")
        self.device = device


class Center:
    def __init__(self, net: Net) -> None:
        self.net = net

    async def pull(self) -> int:
        return 0


class Worker:
    def __init__(
        self,
        center: Ref[Center],
        peers: Group[Worker],
        net: Net,
        schedule: Schedule,
        rule: Rule,
        folder: Path,
        weights: list[float],
        extra: dict[str, Any],
    ) -> None:
        self.center, self.peers, self.net, self.schedule = center, peers, net, schedule
        self.rule, self.folder, self.weights, self.extra = rule, folder, weights, extra

    async def run(self) -> None: ...


def net(width: int = 4) -> dict[str, Any]:
    return {"make": Net, "width": width, "device": "$device"}


def plan_of(width: int = 4) -> Plan:
    shared = net(width) | {"share": "process"}
    return link(
        {
            "center": {"actor": Center, "net": shared},
            "worker": {
                "actor": Worker,
                "beside": "center",
                "count": 2,
                "center": "@center",
                "peers": "@worker[others]",
                "net": shared,
                "schedule": {"lr": 1, "steps": [1, 2]},
                "rule": "mean",
                "folder": "a/b",
                "weights": [1, 2],
                "extra": {"net": net()},
            },
        },
        Path(),
        name="wiring",
    )


def built(plan: Plan, name: str, shared: dict[str, Any] | None = None) -> Any:
    shared = {} if shared is None else shared
    return build(plan.actor(name), lambda name: f"ref {name}", group, shared, plan.objects)


def group(of: GroupOf) -> Group[Any]:
    if not of.live_table:
        return Group(of.names)
    membership = Membership({of.live_table: of.names[:1]})
    return live_group(of.live_table, membership, str, no_resize, of.without)


async def no_resize(table: str, size: int) -> None:
    raise AssertionError(f"{table} was resized to {size}")


def test_an_actor_gets_handles_and_converted_values() -> None:
    worker = built(plan_of(), "worker/1")

    assert worker.center == "ref center/0"
    assert worker.peers == Group(("worker/0",))
    assert worker.schedule == Schedule(1.0, (1, 2))
    assert worker.rule is Rule.MEAN
    assert worker.folder == Path("a/b")
    assert worker.weights == [1.0, 2.0]
    assert [type(weight) for weight in worker.weights] == [float, float]


def test_a_group_is_built_of_what_the_wiring_says_of_it() -> None:
    class Peer:
        def __init__(self, all: Group[Peer], others: Group[Peer]) -> None:  # noqa: A002
            self.all, self.others = all, others

        async def run(self) -> None: ...

    count = {"start": 1, "min": 1, "max": 3}
    tables = {"peer": {"actor": Peer, "count": count, "all": "@peer[*]", "others": "@peer[others]"}}

    peer = built(link(tables, Path(), name="wiring", importable=False), "peer/2")

    assert (live_of(peer.all), live_of(peer.others)) == (("peer", ""), ("peer", "peer/2"))
    assert list(peer.all) == ["peer/0"]


def test_a_device_is_torch_s_own() -> None:
    assert built(plan_of(), "center").net.device == torch.device("cpu")


def test_what_is_shared_is_one_object_and_what_is_not_is_fresh() -> None:
    plan, shared = plan_of(), dict[str, Any]()

    center, one, other = (built(plan, name, shared) for name in ("center", "worker/0", "worker/1"))

    assert center.net is one.net is other.net
    assert one.extra["net"] is not other.extra["net"]


def test_a_spec_from_the_wire_builds_the_same_without_objects() -> None:
    plan = Plan.from_wire(plan_of().to_wire())

    worker = built(plan, "worker/0")

    assert isinstance(worker, Worker)
    assert worker.rule is Rule.MEAN


def test_a_factory_that_raises_tells_its_place_in_the_wiring() -> None:
    plan = plan_of(width=0)

    with pytest.raises(ValueError, match="a net of width 0") as caught:
        built(plan, "center")

    assert caught.value.__notes__ == [f"while {__name__}:Net was called for [center] net"]


def test_a_constructor_that_raises_tells_the_actor() -> None:
    class Sick:
        def __init__(self) -> None:
            raise RuntimeError("no memory")

        async def run(self) -> None: ...

    plan = link({"sick": {"actor": Sick}}, Path(), name="wiring", importable=False)

    with pytest.raises(RuntimeError, match="no memory") as caught:
        built(plan, "sick/0")

    assert caught.value.__notes__[0].startswith("sick/0: while ")
