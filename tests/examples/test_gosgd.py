from __future__ import annotations

from pathlib import Path

import pytest

from tether.runners.check import planned

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("wiring", "peers"), [("wiring.toml", 4), ("growth.toml", 4), ("simulated.toml", 8)]
)
def test_the_wirings_of_gosgd_can_be_linked(wiring: str, peers: int) -> None:
    plan = planned(EXAMPLES / "gosgd" / wiring)

    assert sum(spec.table == "peer" for spec in plan) == peers
