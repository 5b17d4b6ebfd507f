"""One worker and one seed: the same parameters, bit for bit, however and wherever it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from torch import equal

from tests.chaos.learned import start
from tests.chaos.stage import HERE
from tether.runners.folder import final_state
from tether.runners.world import World

WIRING = """
[run]
seed = 3

[center]
actor = "tether.protocols.easgd:Center"
x     = { make = "learned:start", n = 146 }
alpha = 0.5

[worker]
actor   = "tether.protocols.easgd:Worker"
center  = "@center"
learner = { make = "learned:small", seed = "$seed" }
tau     = 3
steps   = 20
delta   = 0.9
"""

Kind = Literal["local", "processes"]


@pytest.fixture
def wiring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    path = tmp_path / "wiring.toml"
    path.write_text(WIRING)
    return path


async def states(wiring: Path, kind: Kind, run: Path, *sets: str) -> dict[str, bytes]:
    """Run a wiring to its end; return the final states of its actors, as they were written."""
    async with World(wiring, kind, sets=sets, folder=run) as world:
        await world.finished()
    assert world.result is not None
    assert (world.result.outcome, world.result.problems) == ("finished", [])
    return {path.name: path.read_bytes() for path in (run / "state").iterdir()}


@pytest.mark.timeout(120)
async def test_one_worker_and_one_seed_give_the_same_bits_in_every_world(
    wiring: Path, tmp_path: Path
) -> None:
    ends = [
        await states(wiring, "processes", tmp_path / "a"),
        await states(wiring, "local", tmp_path / "b"),
        await states(wiring, "local", tmp_path / "c"),
    ]

    assert set(ends[0]) == {"center-0.safetensors", "worker-0.safetensors"}
    assert ends[1:] == ends[:1] * 2
    assert not equal(final_state(tmp_path / "a", "center")["x"], start(146))


async def test_another_seed_gives_other_bits(wiring: Path, tmp_path: Path) -> None:
    first = await states(wiring, "local", tmp_path / "a")

    second = await states(wiring, "local", tmp_path / "b", "run.seed=4")

    assert first["center-0.safetensors"] != second["center-0.safetensors"]
