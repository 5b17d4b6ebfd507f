from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.simulation import players
from tests.simulation.centers import Tables, play, quadratic
from tether.actors import Group
from tether.protocols import local_sgd
from tether.protocols.aggregator import Aggregator
from tether.protocols.aggregator_invariants import INVARIANTS, Rounds, of_the_dead
from tether.protocols.diloco import Fragment
from tether.protocols.invariant import Life
from tether.protocols.quadratic import Quadratic
from tether.protocols.rounds import Round


class Eager(Fragment):
    """Moves c further than the mean: planted."""

    def _moved(self, done: Round) -> None:
        super()._moved(done)
        self.c += 0.001


class Forgetful(Fragment):
    """Averages without one of those who were there: planted."""

    def _moved(self, done: Round) -> None:
        super()._moved(done._replace(D=done.D * 2 / 3))


class Restless(Fragment):
    """Moves c when somebody looks: planted."""

    async def join(self) -> tuple[int, int, Tensor]:
        self.c += 0.001
        return await super().join()


class Deviating(Quadratic):
    """Does not go on from the bits that came: planted."""

    async def apply(self, kernel: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        await super().apply(kernel, *args, **kwargs)
        return await super().apply(Tensor.add_, 0.001)


class Boasting(local_sgd.Worker):
    """Hands over twice what it has done: planted."""

    async def _average(self) -> None:
        difference = self.share.difference
        self.share.difference = lambda w: difference(w).mul_(2)  # type: ignore[method-assign]
        await super()._average()
        self.share.difference = difference  # type: ignore[method-assign]


PLANTED: list[tuple[str, Tables, str]] = [
    ("diloco", {"center": {"actor": Eager}}, "c is off the mean of what was handed over by 0.001"),
    ("diloco", {"center": {"actor": Forgetful}}, "c is off the mean of what was handed over"),
    ("diloco", {"center": {"actor": Restless}}, "goes on from what was no c"),
    ("diloco", {"worker": quadratic(make=Deviating)}, "goes on from what was no c"),
    ("hierarchical", {"near": quadratic(make=Deviating)}, "goes on from what was no c"),
    ("local_sgd_updates", {"worker": quadratic(make=Deviating)}, "goes on from what was no c"),
    ("local_sgd", {"worker": {"actor": Boasting}}, "handed over what is not c − w"),
]


@pytest.mark.parametrize(("name", "planted", "told"), PLANTED)
def test_an_error_that_is_planted_is_told(name: str, planted: Tables, told: str) -> None:
    simulation = play(name, 0, planted, troubled=False).simulation

    assert any(told in sentence for sentence in simulation.broken)


def test_what_leaks_is_late_or_taken_by_deaths_or_undone_by_returns() -> None:
    leaks = [
        leak.why for seed in range(4) for leak in play("diloco", seed).simulation.declared.leaks
    ]

    endings = ("came late", "died", "came back")
    assert leaks
    assert all(why.endswith(endings) for why in leaks)


def test_the_invariant_of_all_who_average_is_of_their_rounds() -> None:
    view = players.Seen()
    (rounds,) = (each(view) for each in INVARIANTS)

    rounds.made(Life("evaluator/0", 1), object())
    rounds.before("evaluator/0", "apply")
    rounds.after("evaluator/0", "apply")

    assert rounds.check() == ""


def test_a_c_that_moves_between_rounds_is_told() -> None:
    view = players.Seen()
    rounds, aggregator = Rounds(view), Aggregator(torch.zeros(2), Group(), 1)
    view.actors["center/0"] = aggregator
    rounds.made(Life("center/0", 1), aggregator)

    found = rounds.check()
    aggregator.c += 1

    assert [found, rounds.check()] == ["", "the c of center/0 was moved, but not by a round"]


def test_who_has_handed_nothing_over_has_said_nothing() -> None:
    with pytest.raises(LookupError, match="worker/0 has handed nothing over"):
        of_the_dead(Life("worker/0", 1), Aggregator(torch.zeros(2), Group(), 1))


def test_a_c_counts_though_its_holder_has_died_as_it_told_of_it() -> None:
    # The center is killed when c is on its way to the blocks and its last hand is not answered.
    assert play("hierarchical", 606).findings.broken == []
