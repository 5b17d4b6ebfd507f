from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.protocols.seeds import all_seeds, played
from tests.protocols.test_gosgd_invariants import CRASHES, NETWORK, TROUBLES, Seen, weight
from tether.actors import Group
from tether.protocols import easgd_invariants
from tether.protocols.easgd import Worker
from tether.protocols.easgd_gossip import Center
from tether.protocols.easgd_gossip_invariants import INVARIANTS, Stars, Weights
from tether.protocols.invariant import Call, Life
from tether.protocols.quadratic import Quadratic
from tether.protocols.sumweight import Weight


def vector(x: float) -> Tensor:
    return torch.tensor([x], dtype=torch.float64)


class Stage:
    """Two centers, and what is conserved; all is moved by hand."""

    def __init__(self) -> None:
        self.view = Seen()
        self.invariants = [each(self.view) for each in INVARIANTS]
        for i, x in enumerate((8.0, 4.0)):
            center = Center(Group(), vector(x), 0.25, 2, 0.0)
            self.view.actors[f"center/{i}"] = center
            for each in self.invariants:
                each.made(Life(f"center/{i}", 1), center)

    def answered(self, name: str, method: str, answer: Any = None) -> None:
        for each in self.invariants:
            each.answered(Call(Life("worker/0", 1), Life(name, 1), method, ()), answer)

    def check(self) -> list[str]:
        return [each.check() for each in self.invariants]


async def test_an_exchange_and_a_push_in_good_order_conserve_all() -> None:
    stage = Stage()
    one, other = stage.view.actors["center/0"], stage.view.actors["center/1"]

    d = await one.exchange(vector(0.0))
    stage.answered("center/0", "exchange", d)
    await one.own.give(0.25, 1, other.push)
    stage.answered("center/1", "push")

    assert stage.check() == ["", ""]
    assert (one.x.item(), one.own.a, other.own.a) == (6.0, 0.25, 0.75)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("an exchange answers another difference", ["Σ a·x + leaks", "x̃ + Σx"]),
        ("a center keeps the weight that it sends", ["Σ a + leaks", ""]),
        ("a push is merged twice", ["Σ a + leaks", ""]),
    ],
)
async def test_an_error_is_told(error: str, told: list[str]) -> None:
    stage = Stage()
    one, other = stage.view.actors["center/0"], stage.view.actors["center/1"]

    if error.startswith("an exchange"):
        d = await one.exchange(vector(0.0))
        stage.answered("center/0", "exchange", 2 * d)
    else:
        await one.own.give(0.25, 1, other.push)
        if error.endswith("twice"):
            await other.push(vector(8.0), 0.25, 1)
        else:
            one.own.a += 0.25
        stage.answered("center/1", "push")

    found = stage.check()
    assert [sentence.partition(" is off")[0].partition(" −")[0] for sentence in found] == told


def test_easgds_own_invariant_leaves_such_stars_to_these() -> None:
    stage = Stage()
    usual = easgd_invariants.Conservation(stage.view)
    for name, center in stage.view.actors.items():
        usual.made(Life(name, 1), center)

    stage.view.actors["center/0"].x.add_(1.0)

    assert usual.check() == ""
    assert stage.check()[1] != ""


# In simulations of whole runs.

STARS = {
    **NETWORK,
    "compute": {"worker": {"uniform": ["5ms", "20ms"]}},
}
ALL = {
    "pause": [{**TROUBLES["pause"][0], "actor": ["center", "worker"]}],
    "partition": [{**TROUBLES["partition"][0], "between": ["center/0", "*"]}],
    "link": TROUBLES["link"],
}
DEATHS = {"crash": [{**CRASHES["crash"][0], "actor": ["center", "worker"]}]}


def start() -> Tensor:
    return torch.ones(8, dtype=torch.float64)


def tables(seed: int, steps: int = 40) -> dict[str, Any]:
    """Return three stars of two workers each."""
    quadratic = {
        "make": Quadratic, "n": 8, "eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0,
        "start": 1.0, "seed": "$seed",
    }  # fmt: skip
    return {
        "run": {"seed": seed, "checkpoint": 0.2},
        "center": {
            "actor": Center, "count": 3, "restart": "permanent", "peers": "@center[others]",
            "x": {"make": start}, "alpha": 0.3, "M": "$count", "p": 0.5, "max_restarts": 20,
        },
        "worker": {
            "actor": Worker, "count": 6, "center": "@center[=]", "learner": quadratic,
            "tau": 2, "steps": steps, "max_restarts": 20,
        },
    }  # fmt: skip


def centers(actors: Any) -> float:
    """Return the weights of all centers."""
    return weight({name: each for name, each in actors.items() if isinstance(each, Center)})


@pytest.mark.parametrize("deaths", [False, True])
def test_stars_that_gossip_conserve_all_but_what_deaths_take_away(deaths: bool) -> None:
    faults = {**ALL, **DEATHS} if deaths else ALL

    simulation, count, actors = played(tables(0), STARS, faults, "push")

    lost = sum(leak.size for leak in simulation.declared.leaks if "push" in leak.why)
    assert simulation.broken == {}
    assert count["merges"] > 0
    assert [type(each) for each in simulation.declared.invariants[:2]] == [Weights, Stars]
    assert deaths == bool(simulation.tally.restarts)
    if not deaths:
        assert lost == 0
        assert centers(actors) == pytest.approx(1.0, abs=2.0**-48)


def test_centers_that_keep_what_they_send_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    give = Weight.give

    async def keeping(self: Weight, a: float, t: int, push: Any) -> None:
        await give(self, a, t, push)
        self.a += a

    monkeypatch.setattr(Weight, "give", keeping)

    simulation, _, _ = played(tables(0), STARS, ALL, "push")

    assert any("Σ a + leaks is off" in broken for broken in simulation.broken)


@pytest.mark.soak
def test_a_thousand_seeds_of_stars_that_gossip_conserve_all_but_what_deaths_take_away() -> None:
    sums = all_seeds("EASGD, gossip", tables, STARS, {**ALL, **DEATHS}, "push")

    assert sums["violations"] == 0
