"""Reports are numbers under the actor's name, and cost nothing outside one."""

from __future__ import annotations

import pytest
import torch

from tests.actors.conftest import World
from tether.actors import report


async def test_metrics_are_recorded_as_floats(memory: World) -> None:
    async def play() -> None:
        report(step=1, loss=torch.tensor(0.5), accuracy=1)
        report(norm=2.0)

    await memory.act(play)

    assert memory.reports == [
        ("script/0", 1, {"loss": 0.5, "accuracy": 1.0}),
        ("script/0", None, {"norm": 2.0}),
    ]


async def test_a_handler_reports_under_its_own_name(world: World) -> None:
    class Center:
        async def exchange(self) -> None:
            report(step=7)

    center = world.spawn("center/0", Center)
    await world.act(center.exchange)

    assert world.reports == [("center/0", 7, {})]


def test_outside_an_actor_nothing_happens() -> None:
    report(step=1, loss=0.5)


async def test_what_is_no_number_is_an_error(memory: World) -> None:
    async def play() -> None:
        report(loss=torch.ones(2))

    with pytest.raises((RuntimeError, ValueError), match="element"):
        await memory.act(play)


@pytest.mark.parametrize("name", ["t", "actor"])
def test_a_metric_named_like_a_records_own_field_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"report: {name} is a field of every record"):
        report(step=1, **{name: 1.0})
