"""How much memory 100 MB of parameters cost: an exchange copies nothing it need not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.stage import HERE
from tether.runners.folder import final_state
from tether.runners.world import World

PARAMETERS = 25_000_000
MB = 1e6
SIZE = 4 * PARAMETERS / MB
PENDING = 1
"""Workers that may have an exchange under way, each with a slot at the center."""
SMALL = 20.0
"""MB that an interpreter may need beside: allocators, sockets, pages of code first used."""

WIRING = f"""
[run]
graceful = 20

[center]
actor = "learned:WatchedCenter"
x     = {{ make = "learned:zeros", n = {PARAMETERS} }}
alpha = 0.5

[worker]
actor   = "learned:WatchedWorker"
center  = "@center"
learner = {{ make = "learned:large", n = {PARAMETERS} }}
tau     = 1
steps   = 6
"""


@pytest.mark.timeout(120)
async def test_an_exchange_needs_few_copies_of_the_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    (tmp_path / "wiring.toml").write_text(WIRING)

    async with World(tmp_path / "wiring.toml", "processes", folder=tmp_path / "run") as world:
        await world.finished()

    center = final_state(tmp_path / "run", "center")
    worker = final_state(tmp_path / "run", "worker")
    needed = center["peak"] - center["before"], worker["peak"] - worker["before"]
    print(f"beside {SIZE:.0f} MB of x: center {needed[0]:.0f} MB, worker {needed[1]:.0f} MB")
    assert needed[0] <= (2 + PENDING - 1) * SIZE + SMALL
    assert needed[1] <= (4 - 1) * SIZE + SMALL
