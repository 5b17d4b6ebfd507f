from __future__ import annotations

import torch

from tests.protocols.test_downpour import at
from tests.simulation.centers import play
from tests.simulation.players import CENTER, Seen
from tether.protocols.adownpour import Center
from tether.protocols.adownpour_invariants import INVARIANTS, Averages
from tether.protocols.invariant import Call, Life


async def pushed(averages: Averages, center: Center, v: float) -> None:
    before = await center.push(at(v))
    call = Call(Life("worker/0", 1), Life(CENTER, 1), "push", ())
    averages.answered(call, before)


async def test_z_is_held_against_the_average_of_what_was_seen() -> None:
    view, center = Seen(), Center(at(8.0))
    averages = Averages(view)
    view.actors[CENTER] = center
    averages.made(Life(CENTER, 1), center)

    found = []
    for v in (4.0, -6.0, 3.0):
        await pushed(averages, center, v)
        found.append(averages.check())
    center.average.z += 1

    assert found == [""] * 3
    assert averages.check() == "z is not the average of what x̃ was before each push"


async def test_what_a_center_forgets_of_z_leaks() -> None:
    view, center = Seen(), Center(at(8.0))
    averages = Averages(view)
    averages.made(Life(CENTER, 1), center)
    await pushed(averages, center, 4.0)
    await pushed(averages, center, 4.0)

    averages.made(Life(CENTER, 2), Center(at(8.0)))

    assert view.leaks == [(f"the z of {CENTER} came back", 2.0)]


def test_among_faults_z_is_the_average_bit_for_bit() -> None:
    played = play("adownpour", 0)

    assert played.simulation.broken == {}
    assert torch.isfinite(played.actors[CENTER].average.z).all()


def test_the_invariant_is_of_averages_and_leaves_strangers_alone() -> None:
    (averages,) = (each(Seen()) for each in INVARIANTS)

    averages.made(Life("evaluator/0", 1), object())
    averages.before("evaluator/0", "step")
    averages.after("evaluator/0", "step")
    averages.answered(Call(Life("worker/0", 1), Life(CENTER, 1), "push", ()), 0)

    assert averages.check() == ""
