from __future__ import annotations

import pytest

from tests.simulation.centers import Tables, play
from tests.simulation.players import Seen
from tether.protocols import local_sign_sgd
from tether.protocols.aggregator_invariants import Rounds
from tether.protocols.invariant import Life
from tether.protocols.local_sign_sgd_invariants import INVARIANTS, Residuals
from tether.protocols.rounds import Round
from tether.protocols.sign import Residual


class Forgetting(local_sign_sgd.Worker):
    """Forgets half of what it has not said: planted."""

    async def _average(self) -> None:
        await super()._average()
        assert isinstance(self.share, Residual)
        self.share.e *= 0.5


class Greedy(local_sign_sgd.Aggregator):
    """Moves c further than was said: planted."""

    def _moved(self, done: Round) -> None:
        super()._moved(done._replace(D=done.D * 1.5))


PLANTED: list[tuple[Tables, str]] = [
    ({"worker": {"actor": Forgetting}}, "is off what it has not said by"),
    ({"center": {"actor": Greedy}}, "c is off the mean of what was handed over"),
]


@pytest.mark.parametrize(("planted", "told"), PLANTED)
def test_an_error_that_is_planted_is_told(planted: Tables, told: str) -> None:
    simulation = play("local_sign_sgd", 0, planted, troubled=False).simulation

    assert any(told in sentence for sentence in simulation.broken)


@pytest.mark.parametrize("feedback", [True, False])
def test_l7_what_was_applied_and_what_is_left_are_all_that_was_done_among_faults(
    feedback: bool,
) -> None:
    leaks = []
    for seed in range(3):
        simulation = play("local_sign_sgd", seed, {"worker": {"feedback": feedback}}).simulation
        leaks += [leak.why for leak in simulation.declared.leaks]

        assert simulation.broken == {}
    assert all(why.endswith(("died", "came back")) for why in leaks)


def test_the_invariants_are_those_of_rounds_and_of_what_is_left_to_say() -> None:
    view = Seen()
    residuals = Residuals(view)

    residuals.made(Life("evaluator/0", 1), object())
    residuals.before("evaluator/0", "apply")
    residuals.after("evaluator/0", "compute")

    assert (Rounds, Residuals) == INVARIANTS
    assert residuals.check() == ""
